/** A process that runs beside its caller: two output streams, standard input, signals; its scope's end kills all of it. */
import type { OutputFrame } from "@sbx/engine/Engine"
import type { CallError, ObjectNotFound } from "@sbx/engine/EngineError"
import { awaitExecExit, type ExecExitUnknown } from "@sbx/engine/ExecExit"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CommandNotFound, ProcessError } from "../Exec.ts"
import type { SpawnedProcess } from "../Sandbox.ts"
import type { SpawnOptions } from "../SandboxHandle.ts"
import * as Capture from "./capture.ts"
import {
  elapsedMillis,
  failed,
  loss,
  refusedByRuntime,
  type SandboxContext,
  start,
  type StartedExec
} from "./execStart.ts"
import { kill } from "./killLadder.ts"
import * as OutputPort from "./outputPort.ts"

type ExitError = CallError | ObjectNotFound | ExecExitUnknown | CommandNotFound

interface Spawned {
  readonly started: StartedExec
  readonly argv: ReadonlyArray<string>
  readonly ports: Readonly<Record<OutputFrame["channel"], OutputPort.OutputPort>>
  /** Takes what would go to the ports; it may not throw. */
  readonly sink: OutputSink | undefined
  /** Digests only, plus enough text to recognise the runtime's refusal. */
  readonly captures: Readonly<Record<OutputFrame["channel"], Capture.Capture>>
  readonly exit: Deferred.Deferred<number, ExitError>
}

/** Gets all output as it comes, at once and in the order of each channel: for a reader that never holds the process back. */
type OutputSink = (channel: OutputFrame["channel"], bytes: Uint8Array) => void

const refusalBytes = 4096
const exitDeadline = "10 seconds"

export const spawn = Effect.fnUntraced(function* (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  options: SpawnOptions = {},
  sink?: OutputSink
): Effect.fn.Return<SpawnedProcess, ProcessError, Scope.Scope> {
  const spawned = yield* Effect.uninterruptible(
    Effect.gen(function* () {
      const ports = { stdout: yield* OutputPort.make, stderr: yield* OutputPort.make }
      const captures = { stdout: Capture.make(refusalBytes), stderr: Capture.make(refusalBytes) }
      const exit = yield* Deferred.make<number, ExitError>()
      const started = yield* start(context, argv, options, { stdin: options.stdin === true, timeoutMillis: 0 })
      const made: Spawned = { started, argv, ports, sink, captures, exit }
      // Before the finalizer, which runs first: it still hears how the process ended.
      yield* Effect.forkScoped(pump(context, made))
      yield* Effect.addFinalizer(() => end(context, made))
      return made
    })
  )
  const { connection, target } = spawned.started
  return {
    execId: connection.execId,
    stdout: spawned.ports.stdout.stream,
    stderr: spawned.ports.stderr.stream,
    writeStdin: connection.writeStdin,
    endStdin: connection.endStdin,
    exitCode: Deferred.await(spawned.exit),
    kill: (signal) => kill(context.engine, target, signal)
  }
})

const pump = (context: SandboxContext, spawned: Spawned) => {
  const { started, ports, sink, captures, exit } = spawned
  const both = <A>(each: (port: OutputPort.OutputPort) => Effect.Effect<A>) =>
    Effect.andThen(each(ports.stdout), each(ports.stderr))
  return Stream.runForEach(started.connection.output, ({ channel, bytes }) => {
    captures[channel].add(bytes)
    if (sink === undefined) return ports[channel].offer(bytes)
    sink(channel, bytes)
    return Effect.void
  }).pipe(
    Effect.tapError((error) => both((port) => port.fail(error))),
    Effect.andThen(both((port) => port.end)),
    Effect.andThen(awaitExecExit(context.engine, started.connection.execId, exitDeadline)),
    Effect.flatMap(({ exitCode }) => exited(context, spawned, exitCode)),
    Effect.onExit((result) => Deferred.done(exit, result)),
    Effect.exit
  )
}

const exited = Effect.fnUntraced(function* (context: SandboxContext, spawned: Spawned, exitCode: number) {
  const { started, argv, captures } = spawned
  const refusal = refusedByRuntime(context, argv, exitCode, captures.stdout.text() || captures.stderr.text())
  if (refusal !== undefined) {
    yield* Effect.ignore(failed(context, started.execKey, refusal.detail), { log: "Warn" })
    return yield* refusal
  }
  yield* context.recorder
    .report({
      _tag: "ExecExited",
      atMillis: yield* Clock.currentTimeMillis,
      execKey: started.execKey,
      exitCode,
      durationMillis: yield* elapsedMillis(started),
      stdout: digest(spawned, "stdout"),
      stderr: digest(spawned, "stderr")
    })
    .pipe(Effect.ignore({ log: "Warn" }))
  return exitCode
})

const digest = ({ captures, ports }: Spawned, channel: OutputFrame["channel"]) => ({
  ...captures[channel].digest(),
  truncated: ports[channel].dropped()
})

/** What the killed process had written is still on its way. */
const drainDeadline = "3 seconds"

/** Children may outlive their parent, so the group is killed in any case. */
const end = Effect.fnUntraced(function* (context: SandboxContext, { started, exit }: Spawned) {
  const rung = yield* kill(context.engine, started.target, "KILL").pipe(
    Effect.catchTag("ObjectNotFound", () => Effect.succeed("already-dead" as const)),
    Effect.catch((error) => Effect.as(Effect.logWarning(error.message), undefined))
  )
  if (rung !== "pending-paused") yield* Effect.timeoutOption(Effect.exit(Deferred.await(exit)), drainDeadline)
  if (yield* Deferred.isDone(exit)) return
  const lost = yield* loss(started.execKey, `its scope was closed; kill: ${rung ?? "failed"}`)
  yield* Effect.ignore(context.recorder.report(lost), { log: "Warn" })
})
