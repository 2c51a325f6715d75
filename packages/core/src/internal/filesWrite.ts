/** Writing half of the sandbox's files. Everything is checked before the first byte is sent, and owned by the sandbox's uid. */
import type { CallError, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import { EngineProtocolError } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  ChecksumMismatch,
  FileNotFound,
  HostFileFailed,
  NoSpaceLeft,
  PathOutside,
  type Transfer,
  UnsafeEntry,
  type WriteError
} from "../SandboxFiles.ts"
import { running, sha256 } from "./digest.ts"
import { bodyOf, fingerprint, fingerprints, type FilesContext, stream, treeDigest } from "./filesRead.ts"
import { absolute, writablePlace, writableRoots } from "./sandboxPath.ts"
import { packFile, packItems, type TarItem } from "./tarCodec.ts"
import { entryFault, type Seen, type TreeEntry } from "./treeEntry.ts"

/** A path split into the writable root that exists and what lies below it. */
interface Place {
  readonly path: string
  readonly root: string
  readonly below: ReadonlyArray<string>
}

export const writable = (context: FilesContext, path: string): Effect.Effect<Place, PathOutside> => {
  const full = absolute(context.spec, path)
  const place = writablePlace(context.spec, full)
  if (place !== undefined) return Effect.succeed({ path: full, ...place })
  const possible = [...writableRoots(context.spec)]
  return Effect.fail(new PathOutside({ sandboxId: context.id, path: full, operation: "write", possible }))
}

/** A path that names something below a root, not the root itself. */
const inside = Effect.fnUntraced(function* (context: FilesContext, path: string) {
  const place = yield* writable(context, path)
  if (place.below.length > 0) return place
  const possible = writableRoots(context.spec).map((root) => `${root}/…`)
  return yield* new PathOutside({ sandboxId: context.id, path: place.path, operation: "write", possible })
})

const defaultDirectoryMode = 0o755

/**
 * The directories of `below` that are missing, as items to make: the engine would make them as root. A symbolic link among
 * the present ones is refused, because it would lead the write to where the sandbox likes.
 */
const missing = Effect.fnUntraced(function* (
  context: FilesContext,
  root: string,
  below: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<TarItem>, UnsafeEntry | CallError | ObjectNotFound> {
  for (let depth = 1; depth <= below.length; depth += 1) {
    const path = below.slice(0, depth).join("/")
    const full = `${root === "/" ? "" : root}/${path}`
    const seen = yield* context.engine
      .statPath(context.containerId(), full)
      .pipe(
        Effect.catchTag("ObjectNotFound", (error) =>
          error.kind === "path" ? Effect.succeed("absent" as const) : Effect.fail(error)
        )
      )
    if (seen === "absent") {
      return below.slice(depth - 1).map((_, index) => ({
        type: "directory",
        name: below.slice(0, depth + index).join("/"),
        mode: defaultDirectoryMode
      }))
    }
    if (seen.kind !== "directory") {
      return yield* new UnsafeEntry({ direction: "upload", path: full, reason: "below-link" })
    }
  }
  return []
})

const put = (
  context: FilesContext,
  place: Place,
  archive: Stream.Stream<Uint8Array, CallError>
): Effect.Effect<void, FileNotFound | NoSpaceLeft | CallError | ObjectNotFound | InvalidRequest> => {
  const { id: sandboxId } = context
  const { path } = place
  return context.engine.putArchive(context.containerId(), place.root, archive).pipe(
    Effect.mapError((error) => {
      if (error._tag === "ObjectNotFound" && error.kind === "path") return new FileNotFound({ sandboxId, path })
      // Engines give the kernel's words for ENOSPC and EDQUOT, with status 500.
      const full = error._tag === "EngineFailure" && /no space left on device|disk quota exceeded/i.test(error.detail)
      return full ? new NoSpaceLeft({ sandboxId, path }) : error
    })
  )
}

const checkMode = (path: string, mode: number) =>
  (mode & ~0o777) === 0 ? Effect.void : Effect.fail(new UnsafeEntry({ direction: "upload", path, reason: "set-id" }))

export const write = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string,
  content: Uint8Array,
  mode: number
): Effect.fn.Return<Transfer, WriteError> {
  const place = yield* inside(context, path)
  yield* checkMode(place.path, mode)
  const parents = yield* missing(context, place.root, place.below.slice(0, -1))
  const items: ReadonlyArray<TarItem> = [...parents, { type: "file", name: place.below.join("/"), mode, content }]
  yield* put(context, place, packItems(items, context.uid))
  return { path: place.path, files: 1, bytes: content.length, sha256: sha256(content) }
})

export const mkdir = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string,
  mode: number
): Effect.fn.Return<void, WriteError> {
  const place = yield* writable(context, path)
  yield* checkMode(place.path, mode)
  const items = yield* missing(context, place.root, place.below)
  if (items.length === 0) return
  const last = place.below.join("/")
  const made = items.map((item): TarItem => (item.name === last ? { type: "directory", name: last, mode } : item))
  yield* put(context, place, packItems(made, context.uid))
})

/** Valid entries in path order, with the parents that nobody named. */
const validate = (given: Iterable<TreeEntry>): Effect.Effect<ReadonlyArray<TreeEntry>, UnsafeEntry> =>
  Effect.suspend(() => {
    const seen: Seen = new Map()
    const all = new Map<string, TreeEntry>()
    const entries = [...given].sort((a, b) => (a.path < b.path ? -1 : 1))
    for (const entry of entries) {
      const reason = entryFault(entry, seen)
      if (reason !== undefined) return Effect.fail(new UnsafeEntry({ direction: "upload", path: entry.path, reason }))
      const segments = entry.path.split("/")
      for (let depth = 1; depth < segments.length; depth += 1) {
        const parent = segments.slice(0, depth).join("/")
        if (!all.has(parent)) all.set(parent, { kind: "directory", path: parent, mode: defaultDirectoryMode })
      }
      all.set(entry.path, entry)
    }
    return Effect.succeed([...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1)))
  })

const toItem = (prefix: string, entry: TreeEntry): TarItem => {
  const name = prefix === "" ? entry.path : `${prefix}/${entry.path}`
  if (entry.kind === "directory") return { type: "directory", name, mode: entry.mode & 0o777 }
  if (entry.kind === "symlink") return { type: "symlink", name, target: entry.target }
  return { type: "file", name, mode: entry.mode & 0o777, content: entry.content }
}

export const uploadTree = Effect.fnUntraced(function* (
  context: FilesContext,
  given: Iterable<TreeEntry>,
  target: string
) {
  const place = yield* writable(context, target)
  const entries = yield* validate(given)
  const parents = yield* missing(context, place.root, place.below)
  const prefix = place.below.join("/")
  const items = [...parents, ...entries.map((entry) => toItem(prefix, entry))]
  if (items.length > 0) yield* put(context, place, packItems(items, context.uid))
  const arrived = yield* fingerprints(context, place.path)
  for (const entry of entries) {
    const expected = fingerprint(entry.kind, entry.kind === "symlink" ? 0o777 : entry.mode & 0o777, bodyOf(entry))
    const actual = arrived.get(entry.path) ?? "absent"
    if (actual !== expected) {
      const path = `${place.path}/${entry.path}`
      return yield* new ChecksumMismatch({ path, expected: lastField(expected), actual: lastField(actual) })
    }
  }
  const files = entries.filter((entry) => entry.kind === "file")
  const bytes = files.reduce((sum, file) => sum + file.content.length, 0)
  return { path: place.path, files: files.length, bytes, sha256: treeDigest(entries) } satisfies Transfer
})

const lastField = (print: string) => print.split("\0").join(" ").trim()

export const uploadFile = Effect.fnUntraced(function* (
  context: FilesContext,
  hostPath: string,
  path: string,
  mode: number
) {
  const hostFailed = (detail: string) => new HostFileFailed({ path: hostPath, detail })
  const info = yield* context.fs.stat(hostPath).pipe(Effect.mapError((error) => hostFailed(error.message)))
  if (info.type !== "File") return yield* hostFailed(`it is a ${info.type}, not a file`)
  const place = yield* inside(context, path)
  yield* checkMode(place.path, mode)
  const parents = yield* missing(context, place.root, place.below.slice(0, -1))
  const digest = running()
  let trouble: HostFileFailed | undefined
  const content = context.fs.stream(hostPath).pipe(
    Stream.tap((chunk) => Effect.sync(() => digest.add(chunk))),
    // The archive's stream may only fail as a call does; the true cause is remembered.
    Stream.mapError((error) => {
      trouble = hostFailed(error.message)
      return new EngineProtocolError({ operation: "read host file", detail: error.message })
    })
  )
  const bytes = Number(info.size)
  const file = { name: place.below.join("/"), mode, size: bytes }
  yield* put(context, place, packFile(file, parents, context.uid, content)).pipe(
    Effect.mapError((error) => trouble ?? error)
  )
  const arrived = yield* stream(context, place.path, Number.POSITIVE_INFINITY, () => Effect.void)
  if (arrived.sha256 !== digest.hex()) {
    return yield* new ChecksumMismatch({ path: place.path, expected: digest.hex(), actual: arrived.sha256 })
  }
  return { path: place.path, files: 1, bytes, sha256: arrived.sha256 } satisfies Transfer
})
