/** Tar in and out. Reading holds the container's lock in the engine, so the reply is destroyed as soon as nobody reads it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { PassThrough } from "node:stream"
import type { PathStat } from "../../Engine.ts"
import type { CallError, ObjectNotFound } from "../../EngineError.ts"
import { EngineProtocolError, ObjectNotFound as NotFound } from "../../EngineError.ts"
import type { Connection } from "./connection.ts"
import { inspectRaw } from "./containers.ts"
import type { Refusal } from "./errors.ts"
import { failure, invalid, notFound } from "./errors.ts"
import { feed } from "./readable.ts"
import type { Call } from "./request.ts"
import { bodyOf, decodeJson, open, send } from "./request.ts"
import { maybe, parseTime } from "./wire.ts"

/** An image of gigabytes over a slow disk. */
const uploadTimeoutMillis = 600_000

/** The engine says `No such container: x` or names the path. */
const missing = (refusal: Refusal, id: string, path: string) =>
  refusal.status !== 404
    ? undefined
    : /No such container: /i.test(refusal.detail)
      ? notFound(refusal, "container", id)
      : new NotFound({ operation: refusal.operation, kind: "path", id: `${id}:${path}` })

const archiveCall = (operation: string, method: Call["method"], id: string, path: string): Call => ({
  operation,
  method,
  path: ["containers", id, "archive"],
  query: { path }
})

export const getArchive = (
  connection: Connection,
  id: string,
  path: string
): Stream.Stream<Uint8Array, CallError | ObjectNotFound> => {
  const operation = "read archive"
  return open(connection, archiveCall(operation, "GET", id, path)).pipe(
    Effect.map((reply) => bodyOf(connection, operation, reply, "flow")),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(missing(refusal, id, path) ?? failure(refusal))),
    Stream.unwrap
  )
}

/**
 * Sends a call whose body is a stream. The source's failure is the call's; an answer that comes before the end of the body stops the
 * source.
 */
export const upload = (connection: Connection, call: Call, source: Stream.Stream<Uint8Array, CallError>) =>
  Effect.suspend(() => {
    const body = new PassThrough()
    const answer = send(connection, { ...call, file: body, timeoutMillis: uploadTimeoutMillis })
    return Effect.raceFirst(answer, Effect.andThen(feed(source, body), Effect.never)).pipe(
      Effect.ensuring(Effect.sync(() => body.destroy()))
    )
  })

export const putArchive = (
  connection: Connection,
  id: string,
  path: string,
  tar: Stream.Stream<Uint8Array, CallError>
) =>
  upload(connection, archiveCall("write archive", "PUT", id, path), tar).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", (refusal) =>
      Effect.fail(missing(refusal, id, path) ?? invalid(refusal) ?? failure(refusal))
    )
  )

const Stat = Schema.Struct({
  name: Schema.String,
  size: Schema.Finite,
  mode: Schema.Finite,
  mtime: Schema.String,
  linkTarget: maybe(Schema.String)
})

// Go's os.FileMode: type bits on top, permissions in the low nine (https://pkg.go.dev/io/fs#FileMode).
const modeDir = 2 ** 31
const modeSymlink = 2 ** 27
const otherTypes = [2 ** 26, 2 ** 25, 2 ** 24, 2 ** 21, 2 ** 19]
/** Bitwise operators would read bit 31 as a sign. */
const has = (mode: number, bit: number) => Math.floor(mode / bit) % 2 === 1

const kindOf = (mode: number): PathStat["kind"] => {
  if (has(mode, modeDir)) return "directory"
  if (has(mode, modeSymlink)) return "symlink"
  return otherTypes.some((bit) => has(mode, bit)) ? "other" : "file"
}

const toStat = (wire: typeof Stat.Type): PathStat => ({
  name: wire.name,
  sizeBytes: wire.size,
  mode: wire.mode % 0o1000,
  kind: kindOf(wire.mode),
  modifiedAtMillis: parseTime(wire.mtime) ?? 0,
  linkTarget: wire.linkTarget ?? ""
})

export const statPath = Effect.fnUntraced(function* (connection: Connection, id: string, path: string) {
  const operation = "stat path"
  const reply = yield* send(connection, archiveCall(operation, "HEAD", id, path)).pipe(
    Effect.catchTag("Refusal", (refusal) =>
      // A HEAD has no text that says which is missing: ask for the container, which fails when it is the one.
      refusal.status === 404
        ? Effect.andThen(inspectRaw(connection, id), new NotFound({ operation, kind: "path", id: `${id}:${path}` }))
        : Effect.fail(failure(refusal))
    )
  )
  const header = reply.header("x-docker-container-path-stat")
  if (header === undefined) {
    return yield* new EngineProtocolError({ operation, detail: "no path stat header" })
  }
  return toStat(yield* decodeJson(Stat)(operation, Buffer.from(header, "base64").toString("utf8")))
})
