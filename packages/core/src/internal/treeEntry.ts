/** The rules that an entry must keep to be carried into or out of a sandbox, on text alone; refusing beats repairing. */

/** Structurally the entries of a tree of test data: a regular file, a directory or a symbolic link, path relative with `/`. */
export type TreeEntry =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly path: string; readonly mode: number; readonly target: string }

export type EntryFault =
  | "absolute"
  | "traversal"
  | "malformed"
  | "special-file"
  | "set-id"
  | "link-escapes"
  | "below-link"
  | "duplicate"

/** What stands under a path so far, parents first. */
export type Seen = Map<string, TreeEntry["kind"]>

const pathFault = (path: string): EntryFault | undefined => {
  if (path.startsWith("/")) return "absolute"
  const segments = path.split("/")
  if (segments.includes("..")) return "traversal"
  const odd = path === "" || path.includes("\0") || !path.isWellFormed()
  return odd || segments.includes("") || segments.includes(".") ? "malformed" : undefined
}

/** Absolute, or climbs above the root of the tree, or climbs at all after having gone down (possibly through another link). */
const linkEscapes = (path: string, target: string): boolean => {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return true
  const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".")
  const climbs = segments.findIndex((segment) => segment !== "..")
  const up = climbs === -1 ? segments.length : climbs
  return segments.slice(up).includes("..") || up > path.split("/").length - 1
}

/** An entry may only lie below directories; anything else on the way would redirect it. */
const parentFault = (path: string, seen: Seen): EntryFault | undefined => {
  const segments = path.split("/")
  for (let depth = 1; depth < segments.length; depth += 1) {
    const kind = seen.get(segments.slice(0, depth).join("/"))
    if (kind !== undefined && kind !== "directory") return "below-link"
  }
  return undefined
}

/** The first rule that the entry breaks, or nothing; then it counts as seen. */
export const entryFault = (
  entry: { readonly kind: TreeEntry["kind"]; readonly path: string; readonly mode: number; readonly target?: string },
  seen: Seen
): EntryFault | undefined => {
  const fault = pathFault(entry.path) ?? parentFault(entry.path, seen)
  if (fault !== undefined) return fault
  const before = seen.get(entry.path)
  if (before !== undefined && !(before === "directory" && entry.kind === "directory")) return "duplicate"
  if (entry.kind === "symlink" && linkEscapes(entry.path, entry.target ?? "")) return "link-escapes"
  // The sticky bit is harmless and dropped; set-user-id and set-group-id are not ours to carry.
  if (entry.kind !== "symlink" && (entry.mode & ~0o1777) !== 0) return "set-id"
  seen.set(entry.path, entry.kind)
  return undefined
}
