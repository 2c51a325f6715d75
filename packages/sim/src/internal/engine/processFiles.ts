/** Files as a process sees them. */
import type { SimFiles } from "../../SimProgram.ts"
import type { FileNode } from "./fileTree.ts"
import { drop, node, parentOf, resolve } from "./fileTree.ts"
import { viewInside } from "./views.ts"
import type { Container, World } from "./world.ts"
import { nowMillis } from "./world.ts"

export const filesOf = (
  world: World,
  container: Container,
  owner: { readonly uid: number; readonly gid: number }
): SimFiles => {
  const find = (path: string, followLast = true) => resolve(viewInside(world, container), path, followLast)
  const make = (path: string, made: FileNode) => {
    const place = find(path, false)
    if (place === undefined || find(parentOf(path))?.node?.kind !== "directory") return "ENOENT" as const
    if (place.node !== undefined) return "EEXIST" as const
    if (place.mount.readOnly) return "EROFS" as const
    place.mount.tree.set(place.key, made)
    return undefined
  }
  const owned = { ...owner, modifiedAtMillis: nowMillis(world) }
  return {
    read: (path) => {
      const found = find(path)?.node
      return found?.kind === "file" ? found.bytes : undefined
    },
    exists: (path) => find(path)?.node !== undefined,
    write: (path, content) => {
      const place = find(path)
      if (place === undefined) return "ENOENT"
      if (place.node?.kind === "directory") return "EISDIR"
      if (place.mount.readOnly) return "EROFS"
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
      const modifiedAtMillis = nowMillis(world)
      place.mount.tree.set(place.key, { ...(place.node ?? node("file", owner)), bytes, modifiedAtMillis })
      return undefined
    },
    link: (path, target) => make(path, node("symlink", { ...owned, linkTarget: target })),
    makeFifo: (path) => make(path, node("other", owned)),
    makeFolder: (path) => make(path, node("directory", owned)),
    remove: (path) => {
      const place = find(path, false)
      if (place?.node === undefined) return undefined
      if (place.mount.readOnly) return "EROFS"
      drop(place.mount.tree, place.key)
      return undefined
    }
  }
}
