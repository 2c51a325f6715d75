/** Exec over a hijacked connection: full duplex with half-close. The engine offers no kill; a dropped connection ends nothing. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type { Duplex } from "node:stream"
import type { ExecConnection, ExecSpec, ExecState } from "../../Engine.ts"
import type { CallError } from "../../EngineError.ts"
import { EngineProtocolError, execWithheld as withheld } from "../../EngineError.ts"
import * as OutputDemuxer from "../../OutputDemuxer.ts"
import type { Connection } from "./connection.ts"
import { conflict, failure, invalid, notFound, transportError } from "./errors.ts"
import { bodyOf, open, sendJson } from "./request.ts"
import { maybe, positive } from "./wire.ts"

const Created = Schema.Struct({ Id: Schema.String })

const create = (connection: Connection, id: string, spec: ExecSpec) =>
  sendJson(
    connection,
    {
      operation: "create exec",
      method: "POST",
      path: ["containers", id, "exec"],
      body: {
        AttachStdin: spec.stdin === true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: false,
        Cmd: spec.argv,
        Env: spec.env && Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
        WorkingDir: spec.workingDir,
        User: spec.user,
        Privileged: spec.privileged
      }
    },
    Created
  ).pipe(
    Effect.catchTag("Refusal", (refusal) =>
      Effect.fail(notFound(refusal, "container", id) ?? conflict(refusal, id) ?? invalid(refusal) ?? failure(refusal))
    )
  )

/** Resolves when the kernel took the bytes: a process that does not read holds the writer back. */
const write = (connection: Connection, socket: Duplex, bytes: Uint8Array) =>
  Effect.callback<void, CallError>((resume) => {
    socket.write(bytes, (error) =>
      resume(error ? Effect.fail(transportError(error, "write standard input", connection.endpoint)) : Effect.void)
    )
  })

/** Half-close: the process sees the end of its input, its output keeps coming. */
const endInput = (connection: Connection, socket: Duplex) =>
  Effect.callback<void, CallError>((resume) => {
    socket.end((error?: Error | null) =>
      resume(
        error && !socket.writableFinished
          ? Effect.fail(transportError(error, "end standard input", connection.endpoint))
          : Effect.void
      )
    )
  })

const noInput = new EngineProtocolError({
  operation: "write standard input",
  detail: "the exec was started without standard input"
})

/** Starts; the reply is the raw connection (101), or a plain body (200) where a proxy in between does not upgrade. */
const start = Effect.fnUntraced(function* (connection: Connection, id: string, execId: string, stdin: boolean) {
  const reply = yield* open(connection, {
    operation: "start exec",
    method: "POST",
    path: ["exec", execId, "start"],
    body: { Detach: false, Tty: false },
    // Without it the modem ends standard input by destroying the socket, and the rest of the output with it.
    hijack: true
  }).pipe(
    Effect.catchTag("Refusal", (refusal) =>
      Effect.fail(invalid(refusal) ?? notFound(refusal, "exec", execId) ?? conflict(refusal, id) ?? failure(refusal))
    )
  )
  if (reply.upgraded === undefined && stdin) {
    return yield* new EngineProtocolError({
      operation: "start exec",
      detail: `no upgrade to a two-way connection (status ${reply.status}); standard input cannot be sent`
    })
  }
  return reply
})

/** Creating makes a record in the engine and no process, so that is not held up by the gate, only the start is. */
const createGated = Effect.fnUntraced(function* (connection: Connection, id: string, spec: ExecSpec) {
  if (spec.gate === undefined) return yield* create(connection, id, spec)
  // The gate is awaited in any case: whoever asks must not go on while it is under way.
  const creating = yield* Effect.forkChild(create(connection, id, spec), { startImmediately: true })
  const open = yield* spec.gate
  const created = yield* Fiber.await(creating)
  return open ? yield* created : yield* withheld(id)
})

export const exec = Effect.fnUntraced(function* (connection: Connection, id: string, spec: ExecSpec) {
  const { Id: execId } = yield* createGated(connection, id, spec)
  const reply = yield* start(connection, id, execId, spec.stdin === true)
  // The process takes a while to start, and the call that asks for its exit code needs a connection.
  connection.prepare()
  const socket = spec.stdin === true ? reply.upgraded : undefined
  const result: ExecConnection = {
    execId,
    output: bodyOf(connection, "read output of exec", reply, "live").pipe(
      OutputDemuxer.demux({ operation: "read output of exec" })
    ),
    writeStdin: (bytes) => (socket ? write(connection, socket, bytes) : Effect.fail(noInput)),
    endStdin: socket ? endInput(connection, socket) : Effect.fail(noInput)
  }
  return result
})

const Inspect = Schema.Struct({
  Running: Schema.Boolean,
  ExitCode: maybe(Schema.Finite),
  Pid: maybe(Schema.Finite),
  ContainerID: maybe(Schema.String)
})

const toState = (wire: typeof Inspect.Type): ExecState => {
  const hostPid = positive(wire.Pid)
  const code = wire.ExitCode ?? undefined
  // Podman says 0 for an exec that was never started; a real 0 comes with a pid.
  const known = !wire.Running && !(code === 0 && hostPid === undefined)
  return {
    running: wire.Running,
    exitCode: known ? code : undefined,
    hostPid,
    containerId: wire.ContainerID ?? ""
  }
}

export const inspect = (connection: Connection, execId: string) =>
  sendJson(connection, { operation: "inspect exec", method: "GET", path: ["exec", execId, "json"] }, Inspect).pipe(
    Effect.map(toState),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(notFound(refusal, "exec", execId) ?? failure(refusal)))
  )
