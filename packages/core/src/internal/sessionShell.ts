/**
 * The shell behind a session: one exec, the frames of the command that is running in it, and its end. One command at a time;
 * whoever calls holds the turn.
 */
import type { OutputFrame } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { ProcessError } from "../Exec.ts"
import type { SpawnedProcess } from "../Sandbox.ts"
import type { SpawnOptions } from "../SandboxHandle.ts"
import { makeId } from "../SandboxId.ts"
import * as Capture from "./capture.ts"
import type { SandboxContext } from "./execStart.ts"
import * as SessionDecoder from "./sessionDecoder.ts"
import { script, standby } from "./sessionScript.ts"
import { spawn } from "./spawnProcess.ts"

/** Why the shell is no more. */
export class ShellEnd extends Data.TaggedError("ShellEnd")<{
  readonly detail: string
  /** Of the shell, as the engine reports it; absent where it cannot be known. */
  readonly exitCode: number | undefined
}> {}

/** One command's frames as they come in. */
export interface Reading {
  readonly stdout: Capture.Capture
  readonly stderr: Capture.Capture
  readonly decoders: Readonly<Record<"stdout" | "stderr", SessionDecoder.SessionDecoder>>
  /** Its end frame, once both channels have it. */
  readonly done: Deferred.Deferred<SessionDecoder.EndFrame, ShellEnd>
  /** Called when `done` is; whoever waits for several things needs no fiber for this one. */
  readonly wake: () => void
}

export interface Shell {
  readonly process: SpawnedProcess
  /** What the readiness frame says: whether commands have kernel sessions to themselves. */
  readonly ownSessions: boolean
  /** Begins to read; `nonce` is the one of the request that is written next. */
  readonly expect: (nonce: string, limitBytes: number, wake: () => void) => Effect.Effect<Reading>
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, CallError>
  /** Marks it as dead for all; the first word holds. */
  readonly fail: (end: ShellEnd) => Effect.Effect<void>
  readonly ended: () => ShellEnd | undefined
}

/** 16 characters of base32: nothing that a command prints holds it by accident. */
export const makeNonce = Effect.map(makeId("n"), (id) => id.slice(2))

type Channel = OutputFrame["channel"]

interface State {
  reading: Reading | undefined
  end: ShellEnd | undefined
}

export const open = Effect.fnUntraced(function* (
  context: SandboxContext,
  options: SpawnOptions
): Effect.fn.Return<Shell, ProcessError | ShellEnd, Scope.Scope> {
  const state: State = { reading: undefined, end: undefined }
  const nonce = yield* makeNonce
  const expect = (next: string, limitBytes: number, wake: () => void) =>
    Effect.sync(() => beginReading(state, next, limitBytes, wake))
  const ready = yield* expect(nonce, 0, () => {})
  const sink = (channel: Channel, bytes: Uint8Array) => read(state, channel, bytes)
  const argv = ["sh", "-c", script, "sbx-session", nonce, standby]
  const process = yield* spawn(context, argv, { ...options, stdin: true }, sink)
  yield* Effect.forkScoped(follow(state, process))
  const { text } = yield* Effect.timeoutOrElse(Deferred.await(ready.done), {
    duration: "20 seconds",
    orElse: () => Effect.fail(new ShellEnd({ detail: "its shell did not answer within 20 s", exitCode: undefined }))
  })
  return {
    process,
    ownSessions: text === "own",
    expect,
    write: process.writeStdin,
    fail: (end) => finish(state, end),
    ended: () => state.end
  }
})

const beginReading = (state: State, nonce: string, limitBytes: number, wake: () => void): Reading => {
  const reading: Reading = {
    stdout: Capture.make(limitBytes),
    stderr: Capture.make(limitBytes),
    decoders: { stdout: SessionDecoder.make(nonce), stderr: SessionDecoder.make(nonce) },
    done: Deferred.makeUnsafe<SessionDecoder.EndFrame, ShellEnd>(),
    wake
  }
  state.reading = reading
  if (state.end !== undefined) settle(reading, Effect.fail(state.end))
  return reading
}

/** The first word holds. */
const settle = (reading: Reading, end: Effect.Effect<SessionDecoder.EndFrame, ShellEnd>): void => {
  if (Deferred.doneUnsafe(reading.done, end)) reading.wake()
}

/** Directly from the connection, without a queue or a fiber in between: this is what a command waits for. */
const read = ({ reading }: State, channel: Channel, bytes: Uint8Array): void => {
  if (reading === undefined) return
  reading.decoders[channel].feed(bytes, reading[channel].add)
  const other = reading.decoders[channel === "stdout" ? "stderr" : "stdout"].end()
  const end = reading.decoders[channel].end()
  if (end !== undefined && other !== undefined) settle(reading, Effect.succeed(end))
}

/** Until the engine has told how it ended; then the shell is over, whatever the reason. */
const follow = (state: State, process: SpawnedProcess) =>
  process.exitCode.pipe(
    Effect.exit,
    Effect.flatMap((exit) =>
      finish(
        state,
        Exit.isSuccess(exit)
          ? new ShellEnd({ detail: `its shell ended with exit code ${exit.value}`, exitCode: exit.value })
          : new ShellEnd({ detail: `its shell was lost (${describe(exit)})`, exitCode: undefined })
      )
    )
  )

const describe = (exit: Exit.Failure<unknown, { readonly message: string }>) => {
  const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return error?.error.message.split("\n")[0] ?? "interrupted"
}

const finish = (state: State, end: ShellEnd) =>
  Effect.sync(() => {
    state.end ??= end
    if (state.reading !== undefined) settle(state.reading, Effect.fail(state.end))
  })
