/**
 * The exit code of an exec. Engines record it after the output ended (an asynchronous containerd event), so the end of output is no
 * exit and "not known yet" is never 0.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { EngineShape } from "./Engine.ts"
import type { CallError, ObjectNotFound } from "./EngineError.ts"

/** The engine did not say how the exec ended. `running` is its last word: true means that the process may still live. */
export class ExecExitUnknown extends Schema.TaggedError<ExecExitUnknown>()("ExecExitUnknown", {
  execId: Schema.String,
  containerId: Schema.String,
  running: Schema.Boolean,
  waitedMillis: Schema.Finite
}) {
  readonly retryable = true
  override get message() {
    const fact = this.running ? "it is still running" : "the engine has not recorded it"
    return `Could not learn the exit code of exec ${this.execId}: ${fact} after ${this.waitedMillis} ms.\nAsk again, or read the container's events for exec_die.`
  }
}

const firstDelay = Duration.millis(5)
const longestDelay = Duration.millis(250)

const schedule = Schedule.exponential(firstDelay, 2).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, longestDelay)))
)

/**
 * Asks with back-off (5 to 250 ms) until the exit code is known, at most until the deadline has passed. Fails with `ObjectNotFound`
 * when the engine has forgotten the exec, which it does 5 to 10 minutes after the end.
 */
export const awaitExecExit = (
  engine: Pick<EngineShape, "inspectExec">,
  execId: string,
  deadline: Duration.Input
): Effect.Effect<{ readonly exitCode: number }, CallError | ObjectNotFound | ExecExitUnknown> =>
  Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const limitMillis = Duration.toMillis(deadline)
    const once = Effect.gen(function* () {
      const state = yield* engine.inspectExec(execId)
      const waitedMillis = (yield* Clock.currentTimeMillis) - startedAt
      return { ...state, waitedMillis }
    })
    const isEnd = (state: { readonly exitCode: number | undefined; readonly waitedMillis: number }) =>
      state.exitCode !== undefined || state.waitedMillis >= limitMillis
    const first = yield* once
    const later = Effect.andThen(Effect.sleep(firstDelay), Effect.repeat(once, { until: isEnd, schedule }))
    const last = isEnd(first) ? first : yield* later
    if (last.exitCode !== undefined) return { exitCode: last.exitCode }
    return yield* new ExecExitUnknown({
      execId,
      containerId: last.containerId,
      running: last.running,
      waitedMillis: last.waitedMillis
    })
  })
