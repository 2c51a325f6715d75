/** Reading half of the sandbox's files: stat, read, list, trees out. Every byte comes through one walk over the engine's archive. */
import type { PathStat } from "@sbx/engine/Engine"
import type { CallError, EngineProtocolError, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Stream from "effect/Stream"
import {
  FileNotFound,
  PathOutside,
  type FileEntry,
  type ReadError,
  TransferTooLarge,
  type TreeDownload,
  UnsafeEntry,
  WrongFileKind
} from "../SandboxFiles.ts"
import { type RunningDigest, running, sha256 } from "./digest.ts"
import type { SandboxContext } from "./execStart.ts"
import { absolute, isVisible } from "./sandboxPath.ts"
import { type TarHeader, type TarVisitor, walk } from "./tarCodec.ts"
import { entryFault, type Seen, type TreeEntry } from "./treeEntry.ts"

export interface FilesContext extends SandboxContext {
  readonly fs: FileSystem
}

type StatError = FileNotFound | PathOutside | CallError | ObjectNotFound

const visible = (context: FilesContext, path: string): Effect.Effect<string, PathOutside> => {
  const full = absolute(context.spec, path)
  const possible = [context.spec.workspace.path]
  return isVisible(context.spec, full)
    ? Effect.succeed(full)
    : Effect.fail(new PathOutside({ sandboxId: context.id, path: full, operation: "read", possible }))
}

const found = <E>(context: FilesContext, path: string, error: E | ObjectNotFound): E | ObjectNotFound | FileNotFound =>
  isPathNotFound(error) ? new FileNotFound({ sandboxId: context.id, path }) : error

const isPathNotFound = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "_tag" in error &&
  error._tag === "ObjectNotFound" &&
  "kind" in error &&
  error.kind === "path"

export const stat = (context: FilesContext, path: string): Effect.Effect<PathStat, StatError> =>
  Effect.flatMap(visible(context, path), (full) =>
    context.engine
      .statPath(context.containerId(), full)
      .pipe(Effect.mapError((error): StatError => found(context, full, error)))
  )

export const exists = (context: FilesContext, path: string) =>
  stat(context, path).pipe(
    Effect.as(true),
    Effect.catchTag("FileNotFound", () => Effect.succeed(false))
  )

/** As the kernel (ELOOP after 40); a sandbox may make any chain it likes. */
const maxLinks = 40

/** What a path leads to, links followed inside the sandbox only. */
const resolve = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string
): Effect.fn.Return<{ readonly path: string; readonly stat: PathStat }, StatError> {
  let full = yield* visible(context, path)
  for (let links = 0; links < maxLinks; links += 1) {
    const seen = yield* stat(context, full)
    if (seen.kind !== "symlink") return { path: full, stat: seen }
    const target = seen.linkTarget
    full = yield* visible(
      context,
      target.startsWith("/") ? target : `${full.slice(0, full.lastIndexOf("/"))}/${target}`
    )
  }
  return yield* new FileNotFound({ sandboxId: context.id, path: full })
})

const expect = Effect.fnUntraced(function* (context: FilesContext, path: string, expected: "file" | "directory") {
  const place = yield* resolve(context, path)
  if (place.stat.kind === expected) return place
  return yield* new WrongFileKind({ sandboxId: context.id, path: place.path, expected, actual: place.stat.kind })
})

const walkPath = <E, E2 = never>(
  context: FilesContext,
  full: string,
  visitor: TarVisitor<E>,
  afterChunk?: Effect.Effect<void, E2>
): Effect.Effect<void, E | E2 | FileNotFound | CallError | ObjectNotFound | EngineProtocolError> =>
  walk(
    `read ${full}`,
    Stream.mapError(context.engine.getArchive(context.containerId(), full), (error) => found(context, full, error)),
    visitor,
    afterChunk
  )

/** The content of one file, chunk by chunk; resolves to its size and digest. */
export const stream = Effect.fnUntraced(function* <E>(
  context: FilesContext,
  path: string,
  limitBytes: number,
  write: (chunk: Uint8Array) => Effect.Effect<void, E>
): Effect.fn.Return<{ readonly bytes: number; readonly sha256: string }, E | ReadError> {
  const place = yield* expect(context, path, "file")
  const tooLarge = () => new TransferTooLarge({ path: place.path, limitBytes })
  if (place.stat.sizeBytes > limitBytes) return yield* tooLarge()
  const digest = running()
  let bytes = 0
  let pending: Array<Uint8Array> = []
  const flush = Effect.suspend(() => {
    const chunks = pending
    pending = []
    return Effect.forEach(chunks, write, { discard: true })
  })
  yield* walkPath(
    context,
    place.path,
    {
      entry: () => undefined,
      data: (chunk) => {
        bytes += chunk.length
        digest.add(chunk)
        pending.push(chunk)
        // It may have grown since it was looked at.
        return bytes > limitBytes ? tooLarge() : undefined
      }
    },
    flush
  )
  return { bytes, sha256: digest.hex() }
})

/** The path below the directory that was asked for; empty for the directory itself. */
const relative = (name: string) => name.replace(/\/+$/, "").split("/").slice(1).join("/")

const kinds: Partial<Record<TarHeader["type"], PathStat["kind"]>> = {
  file: "file",
  link: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "symlink"
}

export const list = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string
): Effect.fn.Return<ReadonlyArray<FileEntry>, ReadError> {
  const place = yield* expect(context, path, "directory")
  const entries: Array<FileEntry> = []
  yield* walkPath<never>(context, place.path, {
    entry: (header) => {
      const name = relative(header.name)
      if (name !== "" && !name.includes("/")) {
        entries.push({
          name,
          path: `${place.path === "/" ? "" : place.path}/${name}`,
          sizeBytes: header.size,
          mode: header.mode & 0o777,
          kind: kinds[header.type] ?? "other",
          modifiedAtMillis: header.modifiedAtMillis,
          linkTarget: header.type === "symlink" ? header.linkname : ""
        })
      }
      return undefined
    },
    data: () => undefined
  })
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
})

/** Kind, mode and content digest or target of every entry below a directory; what cannot be carried is `special`. */
export const fingerprints = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string
): Effect.fn.Return<ReadonlyMap<string, string>, ReadError> {
  const place = yield* resolve(context, path)
  const prints = new Map<string, string>()
  let current: { readonly name: string; readonly mode: number; readonly digest: RunningDigest } | undefined
  yield* walkPath<never>(context, place.path, {
    entry: ({ name, type, mode, linkname }) => {
      const below = relative(name)
      current = type === "file" ? { name: below, mode: mode & 0o777, digest: running() } : undefined
      if (type === "directory") prints.set(below, fingerprint("directory", mode & 0o777, ""))
      else if (type === "symlink") prints.set(below, fingerprint("symlink", 0o777, linkname))
      else if (type !== "file") prints.set(below, "special")
      return undefined
    },
    data: (chunk) => {
      current?.digest.add(chunk)
      return undefined
    },
    end: () => {
      if (current !== undefined) prints.set(current.name, fingerprint("file", current.mode, current.digest.hex()))
      return undefined
    }
  })
  return prints
})

export const fingerprint = (kind: TreeEntry["kind"], mode: number, body: string) =>
  `${kind}\0${mode.toString(8)}\0${body}`

/** See `Transfer.sha256`: equal to the checksum of the same tree as test data. */
export const treeDigest = (entries: ReadonlyArray<TreeEntry>): string =>
  sha256(
    [...entries]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .flatMap((entry) => [entry.kind, entry.mode.toString(8), entry.path, bodyOf(entry)])
      .join("\0")
  )

export const bodyOf = (entry: TreeEntry): string => {
  if (entry.kind === "directory") return ""
  return entry.kind === "symlink" ? entry.target : sha256(entry.content)
}

export const downloadTree = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string,
  limitBytes: number
): Effect.fn.Return<TreeDownload, ReadError | UnsafeEntry> {
  const place = yield* expect(context, path, "directory")
  const collector = collect(place.path, limitBytes)
  yield* walkPath(context, place.path, collector.visitor)
  const entries = collector.entries()
  const files = entries.filter((entry) => entry.kind === "file")
  const bytes = files.reduce((sum, file) => sum + file.content.length, 0)
  return { path: place.path, entries, files: files.length, bytes, sha256: treeDigest(entries) }
})

const unsafe = (path: string, reason: UnsafeEntry["reason"]) => new UnsafeEntry({ direction: "download", path, reason })

const collect = (path: string, limitBytes: number) => {
  const seen: Seen = new Map()
  const entries = new Map<string, TreeEntry>()
  let parts: Array<Uint8Array> = []
  let total = 0
  let file: { readonly path: string; readonly mode: number } | undefined
  const refuseOrAdd = (entry: TreeEntry) => {
    const fault = entryFault(entry, seen)
    if (fault !== undefined) return unsafe(entry.path, fault)
    entries.set(entry.path, entry)
    return undefined
  }
  const visitor: TarVisitor<UnsafeEntry | TransferTooLarge> = {
    entry: (header) => {
      const below = relative(header.name)
      const mode = header.mode & 0o777
      file = undefined
      // The directory itself; its mode is not part of what lies in it.
      if (below === "") return undefined
      if ((header.mode & 0o6000) !== 0) return unsafe(below, "set-id")
      if (header.type === "directory") return refuseOrAdd({ kind: "directory", path: below, mode })
      if (header.type === "symlink")
        return refuseOrAdd({ kind: "symlink", path: below, mode: 0o777, target: header.linkname })
      if (header.type === "link") {
        const original = entries.get(relative(header.linkname))
        return original?.kind === "file" ? refuseOrAdd({ ...original, path: below }) : unsafe(below, "link-escapes")
      }
      if (header.type !== "file" && header.type !== "contiguous-file") return unsafe(below, "special-file")
      file = { path: below, mode }
      parts = []
      return undefined
    },
    data: (chunk) => {
      total += chunk.length
      if (total > limitBytes) return new TransferTooLarge({ path, limitBytes })
      parts.push(Uint8Array.from(chunk))
      return undefined
    },
    end: () => (file === undefined ? undefined : refuseOrAdd({ kind: "file", ...file, content: join(parts) }))
  }
  return { visitor, entries: () => [...entries.values()] }
}

const join = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}
