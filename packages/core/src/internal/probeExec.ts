/**
 * A short look inside by a command of the image. Not recorded: a wait that polls would fill the journal with it, and it
 * changes nothing. Killed inside like any exec when it takes too long or nobody waits any more.
 */
import { awaitExecExit } from "@sbx/engine/ExecExit"
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { makeId } from "../SandboxId.ts"
import * as Capture from "./capture.ts"
import { refusedByRuntime, type SandboxContext } from "./execStart.ts"
import { kill, markerName } from "./killLadder.ts"

export interface ProbeResult {
  /** Absent when it did not end in time, or when there is no such program. */
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly missing: boolean
}

const deadlineMillis = 10_000
const limitBytes = 64 * 1024

export const probe = Effect.fnUntraced(function* (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  deadline: Duration.Input = deadlineMillis
): Effect.fn.Return<ProbeResult, CallError | ObjectNotFound | EngineConflict | InvalidRequest> {
  const { engine, user } = context
  const containerId = context.containerId()
  const marker = yield* makeId("exe")
  const captures = { stdout: Capture.make(limitBytes), stderr: Capture.make(limitBytes) }
  const exitCode = yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { execId, output } = yield* engine.exec(containerId, { argv, env: { [markerName]: marker }, user })
      const drain = Stream.runForEach(output, ({ channel, bytes }) => Effect.sync(() => captures[channel].add(bytes)))
      const end = Effect.ignore(kill(engine, { containerId, marker, execId, user }, "KILL"))
      return yield* restore(Effect.andThen(drain, awaitExecExit(engine, execId, deadline))).pipe(
        Effect.timeoutOption(deadline),
        Effect.catchTag("ExecExitUnknown", () => Effect.succeedNone),
        Effect.tap((result) => (Option.isNone(result) ? end : Effect.void)),
        Effect.onInterrupt(() => end),
        Effect.map((result) => Option.getOrUndefined(result)?.exitCode)
      )
    })
  ).pipe(
    Effect.scoped,
    Effect.catchTag("InvalidRequest", (error) =>
      error.reason === "command-not-found" || error.reason === "command-not-executable"
        ? Effect.succeed("missing" as const)
        : Effect.fail(error)
    )
  )
  const text = captures.stdout.text()
  if (exitCode === "missing") return { exitCode: undefined, stdout: "", missing: true }
  const refused = exitCode !== undefined && refusedByRuntime(context, argv, exitCode, text) !== undefined
  return { exitCode: refused ? undefined : exitCode, stdout: text, missing: refused }
})
