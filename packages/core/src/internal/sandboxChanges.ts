/** Pause, resume, stop, kill and restart of a running sandbox, each intended, done and reported. */
import type { EngineConflict } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type CommandNotFound, SandboxNotRunning } from "../Exec.ts"
import type { ExitInfo, StopResult } from "../Sandbox.ts"
import type { OutcomeEvent } from "../SandboxEvent.ts"
import type { ChangeError, StopOptions } from "../SandboxHandle.ts"
import type { IntentCommand } from "../SandboxLifecycle.ts"
import { refresh, type SandboxContext } from "./execStart.ts"
import { start } from "./sandboxBirth.ts"
import { observe } from "./sandboxRecorder.ts"

/** Records the wish; if the record says "not possible", looks at the engine and asks once more. */
const intend = (context: SandboxContext, command: IntentCommand, operation: string) => {
  const once = context.recorder.submit(command)
  return once.pipe(
    Effect.catchTag("LifecycleRejection", () => Effect.andThen(refresh(context), once)),
    Effect.catchTag("LifecycleRejection", ({ status }) =>
      Effect.fail(new SandboxNotRunning({ sandboxId: context.id, operation, state: status }))
    )
  )
}

const reportNow = (context: SandboxContext, outcome: (atMillis: number) => OutcomeEvent) =>
  Effect.flatMap(Clock.currentTimeMillis, (atMillis) => context.recorder.report(outcome(atMillis)))

const freeze = (
  context: SandboxContext,
  step: {
    readonly intent: "Pause" | "Resume"
    readonly done: "Paused" | "Resumed"
    readonly failed: "PauseFailed" | "ResumeFailed"
    readonly already: EngineConflict["reason"]
    readonly status: "paused" | "running"
  }
): Effect.Effect<void, ChangeError> =>
  Effect.gen(function* () {
    if ((yield* refresh(context)) === step.status) return
    const atMillis = yield* Clock.currentTimeMillis
    yield* intend(context, { _tag: step.intent, atMillis }, step.intent.toLowerCase())
    const id = context.containerId()
    const call = step.intent === "Pause" ? context.engine.pauseContainer(id) : context.engine.unpauseContainer(id)
    yield* call.pipe(
      Effect.catchTag("EngineConflict", (error) => (error.reason === step.already ? Effect.void : Effect.fail(error))),
      Effect.tapError((error) =>
        reportNow(context, (at) => ({ _tag: step.failed, atMillis: at, reason: error.message }))
      )
    )
    yield* reportNow(context, (at) => ({ _tag: step.done, atMillis: at }))
  })

export const pause = (context: SandboxContext) =>
  freeze(context, {
    intent: "Pause",
    done: "Paused",
    failed: "PauseFailed",
    already: "already-paused",
    status: "paused"
  })

export const resume = (context: SandboxContext) =>
  freeze(context, {
    intent: "Resume",
    done: "Resumed",
    failed: "ResumeFailed",
    already: "not-paused",
    status: "running"
  })

/** Ends PID 1 by `end` and reports what the engine then shows. */
const finish = Effect.fnUntraced(function* (
  context: SandboxContext,
  options: { readonly reason: string; readonly graceMillis: number },
  end: Effect.Effect<void, ChangeError>
): Effect.fn.Return<StopResult, ChangeError> {
  const atMillis = yield* Clock.currentTimeMillis
  yield* intend(context, { _tag: "Stop", atMillis, ...options }, "stop")
  const before = yield* Clock.currentTimeNanos
  yield* end.pipe(
    Effect.tapError((error) =>
      reportNow(context, (at) => ({ _tag: "StopFailed", atMillis: at, reason: error.message }))
    )
  )
  const { exitCode } = yield* context.engine.waitContainer(context.containerId())
  const durationMillis = Number((yield* Clock.currentTimeNanos) - before) / 1e6
  const { state } = yield* context.engine.inspectContainer(context.containerId())
  // The engine kills when the grace time has run out, and not a moment before; 137 is 128 + SIGKILL.
  const graceful = durationMillis < options.graceMillis || exitCode !== 137
  const finishedAtMillis = state.finishedAtMillis ?? (yield* Clock.currentTimeMillis)
  yield* reportNow(context, (at) => ({ _tag: "Stopped", atMillis: at, exitCode, graceful, finishedAtMillis }))
  return { exitCode, graceful, durationMillis }
})

const graceSecondsOf = (context: SandboxContext, options: StopOptions | undefined) => {
  const millis = options?.grace === undefined ? context.spec.stopGraceMillis : Duration.toMillis(options.grace)
  return Math.ceil(millis / 1000)
}

export const stop = (context: SandboxContext, options?: StopOptions): Effect.Effect<StopResult, ChangeError> => {
  const graceSeconds = graceSecondsOf(context, options)
  return finish(
    context,
    { reason: "asked", graceMillis: graceSeconds * 1000 },
    context.engine.stopContainer(context.containerId(), { graceSeconds })
  )
}

export const killNow = (context: SandboxContext): Effect.Effect<StopResult, ChangeError> =>
  finish(
    context,
    { reason: "kill asked", graceMillis: 0 },
    context.engine.killContainer(context.containerId(), "KILL").pipe(
      // Over already: that was the aim.
      Effect.catchTag("EngineConflict", (error) => (error.reason === "not-running" ? Effect.void : Effect.fail(error)))
    )
  )

export const restart = Effect.fnUntraced(function* (
  context: SandboxContext,
  options: StopOptions | undefined,
  reason: string
): Effect.fn.Return<void, ChangeError | CommandNotFound> {
  const status = yield* refresh(context)
  const atMillis = yield* Clock.currentTimeMillis
  yield* intend(context, { _tag: "Restart", atMillis, reason }, "restart")
  if (status !== "stopped") yield* stop(context, options)
  const identity = { recorder: context.recorder, sandboxId: context.id }
  yield* start(context.engine, identity, context.containerId(), context.spec)
})

export const awaitExit = Effect.fnUntraced(function* (context: SandboxContext) {
  const { exitCode } = yield* context.engine.waitContainer(context.containerId())
  const inspect = yield* context.engine.inspectContainer(context.containerId())
  yield* observe(context.recorder, inspect)
  const finishedAtMillis = inspect.state.finishedAtMillis ?? (yield* Clock.currentTimeMillis)
  return { exitCode, oomKilled: inspect.state.oomKilled, finishedAtMillis } satisfies ExitInfo
})
