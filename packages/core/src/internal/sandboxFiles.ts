/** Puts the two halves together and records each transfer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AppendError } from "@sbx/journal/Journal"
import { HostFileFailed, type ReadError, type SandboxFiles, type Transfer } from "../SandboxFiles.ts"
import { execOk } from "./execProcess.ts"
import * as Read from "./filesRead.ts"
import * as Write from "./filesWrite.ts"

type FilesContext = Read.FilesContext

const MiB = 1024 ** 2
const readLimit = 64 * MiB
const treeLimit = 256 * MiB

const recorded =
  (context: FilesContext, tag: "FileUploaded" | "FileDownloaded") =>
  <A extends Transfer, E>(transfer: Effect.Effect<A, E>): Effect.Effect<A, E | AppendError> =>
    Effect.tap(transfer, ({ path, files, bytes, sha256 }) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
        context.recorder.report({ _tag: tag, atMillis, path, files, bytes, sha256 })
      )
    )

export const make = (context: FilesContext): SandboxFiles => {
  const uploaded = recorded(context, "FileUploaded")
  const downloaded = recorded(context, "FileDownloaded")
  const read: SandboxFiles["read"] = (path, options) => readBytes(context, path, options?.limitBytes ?? readLimit)
  return {
    read,
    readString: (path, options) => Effect.map(read(path, options), (bytes) => new TextDecoder().decode(bytes)),
    write: (path, content, options) => {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
      return uploaded(Write.write(context, path, bytes, options?.mode ?? 0o644))
    },
    list: (path = ".") => Read.list(context, path),
    stat: (path) => Read.stat(context, path),
    exists: (path) => Read.exists(context, path),
    remove: (path) =>
      Write.writable(context, path).pipe(
        Effect.flatMap((place) => execOk(context, ["rm", "-rf", "--", place.path])),
        Effect.asVoid
      ),
    mkdir: (path, options) => Write.mkdir(context, path, options?.mode ?? 0o755),
    uploadTree: (entries, target = ".") => uploaded(Write.uploadTree(context, entries, target)),
    downloadTree: (path = ".", options) =>
      downloaded(Read.downloadTree(context, path, options?.limitBytes ?? treeLimit)),
    uploadFile: (hostPath, path, options) =>
      uploaded(Write.uploadFile(context, hostPath, path, options?.mode ?? 0o644)),
    downloadFile: (path, hostPath) => downloaded(downloadFile(context, path, hostPath))
  }
}

const readBytes = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string,
  limitBytes: number
): Effect.fn.Return<Uint8Array, ReadError> {
  const parts: Array<Uint8Array> = []
  const keep = (chunk: Uint8Array) => Effect.sync(() => void parts.push(Uint8Array.from(chunk)))
  const { bytes, sha256 } = yield* Read.stream(context, path, limitBytes, keep)
  yield* recorded(context, "FileDownloaded")(Effect.succeed({ path, files: 1, bytes, sha256 }))
  return Buffer.concat(parts)
})

/** Written beside and renamed, so that half a file never has the name of a whole one. */
const downloadFile = Effect.fnUntraced(function* (
  context: FilesContext,
  path: string,
  hostPath: string
): Effect.fn.Return<Transfer, ReadError | HostFileFailed> {
  const { fs } = context
  const partial = `${hostPath}.partial`
  const onHost = Effect.mapError(
    (error: { readonly message: string }) => new HostFileFailed({ path: hostPath, detail: error.message })
  )
  const got = yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* onHost(fs.open(partial, { flag: "w" }))
      return yield* Read.stream(context, path, Number.POSITIVE_INFINITY, (chunk) => onHost(file.writeAll(chunk)))
    })
  ).pipe(Effect.onError(() => Effect.ignore(fs.remove(partial, { force: true }))))
  yield* onHost(fs.rename(partial, hostPath))
  return { path, files: 1, ...got }
})
