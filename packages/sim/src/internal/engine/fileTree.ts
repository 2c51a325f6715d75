/**
 * Files in memory: trees of nodes, and a view that lays trees over one another as mounts do. Symbolic links are followed as the
 * kernel does; permissions are kept and not enforced.
 */
export interface FileNode {
  readonly kind: "file" | "directory" | "symlink" | "other"
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modifiedAtMillis: number
  readonly bytes: Uint8Array
  readonly linkTarget: string
}

/** Keys are absolute normal paths within the tree; `/` is its root and always there. */
export type Tree = Map<string, FileNode>

export interface MountedTree {
  /** Absolute normal path; `/` for the root file system. */
  readonly at: string
  readonly tree: Tree
  readonly readOnly: boolean
}

export type View = ReadonlyArray<MountedTree>

export const noBytes = new Uint8Array(0)

export const node = (kind: FileNode["kind"], more: Partial<FileNode> = {}): FileNode => ({
  kind,
  mode: kind === "directory" ? 0o755 : kind === "symlink" ? 0o777 : 0o644,
  uid: 0,
  gid: 0,
  modifiedAtMillis: 0,
  bytes: noBytes,
  linkTarget: "",
  ...more
})

export const emptyTree = (): Tree => new Map([["/", node("directory")]])

const segmentsOf = (path: string) => path.split("/").filter((segment) => segment !== "" && segment !== ".")

/** Absolute, without `.`, `..` and doubled slashes. */
export const normal = (path: string): string => {
  const kept: Array<string> = []
  for (const segment of segmentsOf(path)) {
    if (segment === "..") kept.pop()
    else kept.push(segment)
  }
  return `/${kept.join("/")}`
}

export const parentOf = (path: string) => normal(`${path}/..`)
export const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1)
const join = (folder: string, name: string) => (folder === "/" ? `/${name}` : `${folder}/${name}`)
const isWithin = (path: string, folder: string) => folder === "/" || path === folder || path.startsWith(`${folder}/`)

export interface Place {
  readonly mount: MountedTree
  /** Path within the mount's tree. */
  readonly key: string
  /** Path within the view, links resolved. */
  readonly path: string
  readonly node: FileNode | undefined
}

const placeOf = (view: View, path: string): Place | undefined => {
  let mount: MountedTree | undefined
  for (const candidate of view) {
    if (isWithin(path, candidate.at) && (mount === undefined || candidate.at.length >= mount.at.length))
      mount = candidate
  }
  if (mount === undefined) return undefined
  const key = mount.at === "/" ? path : path.slice(mount.at.length) || "/"
  return { mount, key, path, node: mount.tree.get(key) }
}

const mostLinks = 40

/** Where a path leads. Absent when a folder on the way is missing or links go round; `node` is absent when only the last is missing. */
export const resolve = (view: View, path: string, followLast: boolean, links = 0): Place | undefined => {
  const segments = segmentsOf(path)
  let at = "/"
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1
    const next = segment === ".." ? parentOf(at) : join(at, segment)
    const found = placeOf(view, next)
    if (found?.node === undefined) return last ? found : undefined
    if (found.node.kind === "symlink" && (!last || followLast)) {
      if (links >= mostLinks) return undefined
      const target = found.node.linkTarget
      const rest = segments.slice(index + 1).join("/")
      const base = target.startsWith("/") ? target : `${at}/${target}`
      return resolve(view, `${base}/${rest}`, followLast, links + 1)
    }
    if (!last && found.node.kind !== "directory") return undefined
    at = next
  }
  return placeOf(view, at)
}

/** The place and everything beneath it, folders before what they hold, names in order. */
export const walk = (view: View, from: Place): ReadonlyArray<Place> => {
  if (from.node?.kind !== "directory") return from.node === undefined ? [] : [from]
  const names = new Set<string>()
  const prefix = from.key === "/" ? "/" : `${from.key}/`
  for (const key of from.mount.tree.keys()) {
    if (key !== "/" && key.startsWith(prefix) && !key.slice(prefix.length).includes("/")) names.add(nameOf(key))
  }
  for (const { at } of view) if (at !== "/" && parentOf(at) === from.path) names.add(nameOf(at))
  const children = [...names].sort().flatMap((name) => {
    const child = placeOf(view, join(from.path, name))
    return child === undefined ? [] : walk(view, child)
  })
  return [from, ...children]
}

/** Removes a path with all that is beneath it, within one tree. */
export const drop = (tree: Tree, key: string) => {
  for (const each of tree.keys()) if (each !== "/" && isWithin(each, key)) tree.delete(each)
}

/** Missing folders above a key, made as an engine makes mount points. */
export const ensureFolders = (tree: Tree, key: string) => {
  for (let at = key; at !== "/"; at = parentOf(at)) if (!tree.has(at)) tree.set(at, node("directory"))
}
