/**
 * Tar in and out as effect streams, over tar-stream. An adapter: node streams stay inside. Nothing is buffered but the
 * chunk at hand; a visitor's refusal ends the reading.
 */
import { EngineProtocolError } from "@sbx/engine/EngineError"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as tar from "tar-stream"

export interface TarHeader {
  readonly name: string
  readonly type: tar.Header["type"]
  readonly mode: number
  readonly size: number
  readonly linkname: string
  readonly modifiedAtMillis: number
}

/** Called in the order of the archive. A value returned is a refusal. */
export interface TarVisitor<E> {
  readonly entry: (header: TarHeader) => E | undefined
  readonly data: (chunk: Uint8Array) => E | undefined
  readonly end?: () => E | undefined
}

const toHeader = (header: tar.Header): TarHeader => ({
  name: header.name,
  type: header.type,
  mode: header.mode,
  size: header.size,
  // Absent in archives of plain files, whatever the type says.
  linkname: header.linkname ?? "",
  modifiedAtMillis: header.mtime.getTime()
})

const malformed = (operation: string, cause: unknown) =>
  new EngineProtocolError({
    operation,
    detail: `malformed tar: ${cause instanceof Error ? cause.message : String(cause)}`
  })

/** Visits every entry; `afterChunk` runs when the visitor has seen a chunk of the archive, e.g. to write what it kept. */
export const walk = Effect.fnUntraced(function* <E, E1, E2 = never>(
  operation: string,
  archive: Stream.Stream<Uint8Array, E1>,
  visitor: TarVisitor<E>,
  afterChunk: Effect.Effect<void, E2> = Effect.void
): Effect.fn.Return<void, E | E1 | E2 | EngineProtocolError> {
  const extract = tar.extract()
  let refusal: { readonly error: E } | undefined
  let broken: EngineProtocolError | undefined
  const note = (error: E | undefined) => {
    if (error !== undefined && refusal === undefined) refusal = { error }
  }
  extract.on("entry", (header, content, next) => {
    note(visitor.entry(toHeader(header)))
    content.on("data", (chunk) => {
      if (refusal === undefined && chunk instanceof Uint8Array) note(visitor.data(chunk))
    })
    // The archive's own error says the same; unheard, this one would end the process.
    content.on("error", () => {})
    content.on("end", () => {
      if (refusal === undefined) note(visitor.end?.())
      next()
    })
  })
  extract.on("error", (cause: unknown) => {
    broken = malformed(operation, cause)
  })
  const check = Effect.suspend((): Effect.Effect<void, E | EngineProtocolError> => {
    if (refusal !== undefined) return Effect.fail(refusal.error)
    return broken === undefined ? Effect.void : Effect.fail(broken)
  })
  const push = (chunk: Uint8Array) => writeTo(extract, chunk)
  const finish = Effect.callback<void>((resume) => {
    extract.once("close", () => resume(Effect.void))
    extract.end(null)
  })
  yield* Stream.runForEach(archive, (chunk) =>
    push(chunk).pipe(Effect.andThen(check), Effect.andThen(afterChunk))
  ).pipe(
    Effect.andThen(finish),
    Effect.andThen(check),
    Effect.andThen(afterChunk),
    Effect.ensuring(Effect.sync(() => extract.destroy()))
  )
})

export type TarItem =
  | { readonly type: "directory"; readonly name: string; readonly mode: number }
  | { readonly type: "symlink"; readonly name: string; readonly target: string }
  | { readonly type: "file"; readonly name: string; readonly mode: number; readonly content: Uint8Array }

/** Resolves when more may be written, or when the stream was closed: its owner knows why. */
const writeTo = (stream: ReturnType<tar.Pack["entry"]> | tar.Extract<tar.ExtractEvents>, chunk: Uint8Array) =>
  Effect.callback<void>((resume) => {
    if (stream.destroyed || stream.write(chunk)) return resume(Effect.void)
    const done = () => {
      stream.off("drain", done)
      stream.off("close", done)
      resume(Effect.void)
    }
    stream.on("drain", done)
    stream.on("close", done)
  })

/** Equal trees make equal archives. */
const epoch = DateTime.toDateUtc(DateTime.makeUnsafe(0))

const addItem = (pack: tar.Pack, item: TarItem, uid: number) => {
  const common = { name: item.name, uid, gid: uid, mtime: epoch, type: item.type }
  if (item.type === "directory") pack.entry({ ...common, mode: item.mode })
  else if (item.type === "symlink") pack.entry({ ...common, linkname: item.target, mode: 0o777 })
  // An empty mode would be taken for "not given".
  else pack.entry({ ...common, mode: item.mode || 0o100000, size: item.content.length }, item.content)
}

async function* chunksOf(pack: tar.Pack): AsyncGenerator<Uint8Array> {
  for await (const chunk of pack) {
    if (chunk instanceof Uint8Array) yield chunk
  }
}

/** A pack fails only by our own misuse; `packFile` looks at sizes before the pack does. */
const fromPack = (pack: tar.Pack): Stream.Stream<Uint8Array> =>
  Stream.fromAsyncIterable(chunksOf(pack), (cause) => cause).pipe(Stream.orDie)

/** An archive of the items, all owned by `uid`. */
export const packItems = (items: Iterable<TarItem>, uid: number): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    const pack = tar.pack()
    for (const item of items) addItem(pack, item, uid)
    pack.finalize()
    return fromPack(pack)
  })

const changed = (promised: number, written: number) =>
  new EngineProtocolError({
    operation: "pack file",
    detail: `its size changed from ${promised} to ${written} bytes while it was read`
  })

/** One file of known size below its parents, its content streamed. Fails when the content has another size. */
export const packFile = <E>(
  file: { readonly name: string; readonly mode: number; readonly size: number },
  parents: Iterable<TarItem>,
  uid: number,
  content: Stream.Stream<Uint8Array, E>
): Stream.Stream<Uint8Array, E | EngineProtocolError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const pack = tar.pack()
      for (const item of parents) addItem(pack, item, uid)
      const sink = pack.entry({ ...file, uid, gid: uid, mtime: epoch, type: "file" })
      // The pack tells the same.
      sink.on("error", () => {})
      const failed = yield* Deferred.make<never, E | EngineProtocolError>()
      let written = 0
      const write = (chunk: Uint8Array) => {
        written += chunk.length
        return writeTo(sink, chunk)
      }
      const finish = Effect.suspend(() => {
        if (written !== file.size) return Effect.fail(changed(file.size, written))
        sink.end(null)
        pack.finalize()
        return Effect.void
      })
      yield* Stream.runForEach(content, write).pipe(
        Effect.andThen(finish),
        Effect.catchCause((cause) => Deferred.failCause(failed, cause)),
        Effect.forkScoped
      )
      return fromPack(pack).pipe(
        Stream.interruptWhen(Deferred.await(failed)),
        Stream.ensuring(Effect.sync(() => pack.destroy()))
      )
    })
  )
