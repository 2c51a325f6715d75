/** What lies where in a container: as its processes see it, and as the archive calls see it (tmpfs is invisible to those). */
import type { Mount } from "@sbx/engine/ContainerSpec"
import type { MountedTree, Tree, View } from "./fileTree.ts"
import { emptyTree, normal } from "./fileTree.ts"
import type { Container, World } from "./world.ts"

const hostFolder = (world: World, path: string): Tree => {
  const found = world.hostFolders.get(path) ?? emptyTree()
  world.hostFolders.set(path, found)
  return found
}

const bindsOf = (container: Container): ReadonlyArray<Mount> =>
  (container.host.binds ?? []).flatMap((text): ReadonlyArray<Mount> => {
    const [source = "", target = "", options = ""] = text.split(":")
    const readOnly = options.split(",").includes("ro")
    return source.startsWith("/")
      ? [{ kind: "bind", source, target, readOnly }]
      : [{ kind: "volume", source, target, readOnly }]
  })

/** The volume that a mount without a source got. */
export const volumeOf = (container: Container, mount: Mount & { kind: "volume" }, index: number) =>
  mount.source === "" ? (container.anonymousVolumes[index] ?? "") : mount.source

const mounted = (world: World, container: Container, mount: Mount, index: number): ReadonlyArray<MountedTree> => {
  const at = normal(mount.target)
  if (mount.kind === "tmpfs") {
    const tree = container.tmpfs.get(at)
    return tree === undefined ? [] : [{ at, tree, readOnly: false }]
  }
  const readOnly = mount.readOnly === true
  if (mount.kind === "bind") return [{ at, tree: hostFolder(world, mount.source), readOnly }]
  const volume = world.volumes.get(volumeOf(container, mount, index))
  return volume === undefined ? [] : [{ at, tree: volume.tree, readOnly }]
}

export const mountsOf = (container: Container): ReadonlyArray<Mount> => [
  ...(container.host.mounts ?? []),
  ...bindsOf(container)
]

const root = (container: Container): MountedTree => ({
  at: "/",
  tree: container.tree,
  readOnly: container.host.readOnlyRoot === true
})

export const viewArchived = (world: World, container: Container): View => [
  root(container),
  ...mountsOf(container).flatMap((mount, index) =>
    mount.kind === "tmpfs" ? [] : mounted(world, container, mount, index)
  )
]

export const viewInside = (world: World, container: Container): View => [
  root(container),
  ...mountsOf(container).flatMap((mount, index) => mounted(world, container, mount, index)),
  ...[...container.tmpfs].map(([at, tree]) => ({ at, tree, readOnly: false }))
]

/** Empty at every start, gone at every end. */
export const freshTmpfs = (container: Container) =>
  new Map<string, Tree>([
    ...Object.keys(container.host.tmpfs ?? {}).map((path) => [normal(path), emptyTree()] as const),
    ...mountsOf(container)
      .filter(({ kind }) => kind === "tmpfs")
      .map(({ target }) => [normal(target), emptyTree()] as const)
  ])
