/** Tar in and out of a container, running or not. A reader holds the container's lock until it is done or dropped, as in moby. */
import { InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { PathStat } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Connection } from "./feed.ts"
import type { Place } from "./fileTree.ts"
import { drop, ensureFolders, nameOf, normal, parentOf, resolve, walk } from "./fileTree.ts"
import { container, withContainer } from "./lookup.ts"
import * as Tar from "./tar.ts"
import { viewArchived } from "./views.ts"
import type { Container, Job, World } from "./world.ts"
import { connectionLost } from "./world.ts"

const noPath = (operation: string, id: string, path: string) =>
  new ObjectNotFound({ operation, kind: "path", id: `${id}:${path}` })

const chunkBytes = 32 * 1024

const pack = (world: World, found: Container, place: Place): ReadonlyArray<Uint8Array> => {
  const top = nameOf(place.path) || "."
  const entries = walk(viewArchived(world, found), place).flatMap(({ path, node }) => {
    if (node === undefined) return []
    const below = place.path === "/" ? path : path.slice(place.path.length)
    return [{ name: `${top}${below === "/" ? "" : below}${node.kind === "directory" ? "/" : ""}`, node }]
  })
  const bytes = Buffer.concat(Tar.write(entries))
  const count = Math.ceil(bytes.length / chunkBytes)
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes))
}

/** Takes the lock and gives it back when the connection goes. */
export const get = (world: World, connection: Connection, job: Job, id: string, path: string) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { operation } = job
      const found = yield* container(world, operation, id)
      yield* restore(found.lock.take(1))
      connection.hold(() => world.fork(found.lock.release(1)))
      const place = resolve(viewArchived(world, found), normal(path), false)
      if (place?.node === undefined) return yield* noPath(operation, id, path)
      yield* restore(job.work)
      const lost = connectionLost(world, operation, "simulated: the connection was cut")
      return Stream.fromIterable(pack(world, found, place), { chunkSize: 1 }).pipe(
        Stream.mapEffect((chunk) => (connection.cut ? Effect.fail(lost) : Effect.succeed(chunk)))
      )
    })
  )

const unpack = (folder: Place, entries: ReadonlyArray<Tar.TarEntry>) => {
  const { tree } = folder.mount
  const base = folder.key === "/" ? "" : folder.key
  for (const { name, node } of entries) {
    const key = `${base}${normal(name)}`.replace(/\/$/, "") || "/"
    if (key === "/") continue
    ensureFolders(tree, parentOf(key))
    const before = tree.get(key)
    if (before !== undefined && (before.kind !== "directory" || node.kind !== "directory")) drop(tree, key)
    tree.set(key, node)
  }
}

export const put = (world: World, job: Job, id: string, path: string, archive: Uint8Array) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found) {
      const { operation } = job
      const folder = resolve(viewArchived(world, found), normal(path), true)
      if (folder?.node === undefined) return yield* noPath(operation, id, path)
      const refused = (reason: "read-only" | "bad-parameter", detail: string) =>
        new InvalidRequest({ operation, reason, detail: `simulated: ${detail}` })
      if (folder.node.kind !== "directory")
        return yield* refused("bad-parameter", "extraction point is not a directory")
      if (folder.mount.readOnly) return yield* refused("read-only", "container rootfs is marked read-only")
      const entries = Tar.read(archive)
      if (entries === undefined) return yield* refused("bad-parameter", "invalid tar header")
      yield* job.work
      unpack(folder, entries)
    })
  )

export const stat = (world: World, job: Job, id: string, path: string) =>
  withContainer(world, job.operation, id, (found) =>
    Effect.suspend((): Effect.Effect<PathStat, ObjectNotFound> => {
      const place = resolve(viewArchived(world, found), normal(path), false)
      if (place?.node === undefined) return Effect.fail(noPath(job.operation, id, path))
      const { kind, mode, bytes, modifiedAtMillis, linkTarget } = place.node
      const name = nameOf(place.path) || "/"
      const sizeBytes = kind === "directory" ? 4096 : kind === "symlink" ? linkTarget.length : bytes.length
      return Effect.succeed({ name, sizeBytes, mode: mode % 0o1000, kind, modifiedAtMillis, linkTarget })
    })
  )
