/**
 * Notices failures. Hints (a wait call, the engine's events, an alarm) only say when to look; the engine's inspect decides.
 * What the sandbox's own user does (stop, kill, pause, remove) is none.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { classify, type FailureClass, relevantMillis } from "../FailureClass.ts"
import { isTerminal } from "../LifecycleState.ts"
import * as SandboxLabels from "../SandboxLabels.ts"
import { refresh, type SandboxContext } from "./execStart.ts"
import type { Alarm } from "./healthRun.ts"

/** One failure with its times. */
export interface Failure {
  readonly failure: FailureClass
  /** The engine's time of an end; else when it was first noticed, by our clock. */
  readonly failedAtMillis: number
  readonly ranMillis: number | undefined
  readonly exitCode: number | undefined
  readonly oomKills: number
}

/** A signal that the engine sent, as its events tell. */
interface Sent {
  readonly signal: number
  readonly atMillis: number
}

/** What the engine's events have told so far. */
export interface Witness {
  readonly sent: Ref.Ref<ReadonlyArray<Sent>>
}

export const makeWitness: Effect.Effect<Witness> = Effect.map(Ref.make<ReadonlyArray<Sent>>([]), (sent) => ({ sent }))

const keptSignals = 64

/**
 * The kernel may kill another process than the main one, and the main one may have been killed by the engine's word: only
 * events tell. Each connection begins where the one before it ended, as far as the engine remembers; repeats are known by id.
 */
export const listen = Effect.fnUntraced(function* (context: SandboxContext, { sent }: Witness) {
  const { engine, recorder, containerId } = context
  const since = yield* Ref.make(recorder.state().startedAtMillis)
  const once = Effect.gen(function* () {
    const sinceMillis = yield* Ref.get(since)
    const labels = { [SandboxLabels.keys.stream]: recorder.stream }
    yield* engine.events(sinceMillis === undefined ? { labels } : { labels, sinceMillis }).pipe(
      Stream.filter((event) => event.type === "container" && event.actorId === containerId()),
      Stream.runForEach(
        Effect.fnUntraced(function* (event) {
          yield* Ref.set(since, event.atMillis)
          if (event.action === "oom") {
            const atMillis = yield* Clock.currentTimeMillis
            yield* recorder.report({ _tag: "OomKilled", atMillis, engineEventId: event.timeNano })
          }
          const signal = Number(event.attributes["signal"])
          if (event.action === "kill" && Number.isInteger(signal)) {
            yield* Ref.update(sent, (before) => [
              ...before.slice(1 - keptSignals),
              { signal, atMillis: event.atMillis }
            ])
          }
        })
      )
    )
  })
  yield* once.pipe(Effect.ignore, Effect.repeat(Schedule.spaced("1 second")))
})

/** How often the truth is asked for although no hint came; hints get lost. */
const lookEvery = "2 seconds"
/** While it is stopped on purpose, or a step of somebody else is under way, only our own record is looked at. */
const pollRecord = "100 millis"

/** The next failure; absent when the sandbox's life is over. */
export const awaitFailure = (
  context: SandboxContext,
  witness: Witness,
  alarms: Queue.Queue<Alarm>
): Effect.Effect<Failure | undefined> => Effect.raceFirst(awaitEnd(context, witness), awaitAlarm(context, alarms))

/** The newest transition tells an end that was asked for (Stopped) from one that was not. */
const awaitEnd = Effect.fnUntraced(function* (
  context: SandboxContext,
  witness: Witness
): Effect.fn.Return<Failure | undefined> {
  for (;;) {
    const state = context.recorder.state()
    if (isTerminal(state)) return undefined
    const last = state.history.at(-1)
    if (state.status === "stopped" && last?.event === "Died") return yield* endOf(context, witness)
    if (state.status === "stopped" && last !== undefined && last.event !== "Stopped") {
      const detail = last.reason ?? last.event
      const sign = last.event === "Vanished" ? "vanished" : "start-failed"
      return noticed(context, classify({ sign, detail }), last.atMillis)
    }
    if (state.status === "running" || state.status === "paused") yield* hint(context)
    else yield* Effect.sleep(pollRecord)
  }
})

/** One that never ran has not run for any time. */
const noticed = (context: SandboxContext, failure: FailureClass, failedAtMillis: number): Failure => {
  const { startedAtMillis } = context.recorder.state()
  const ranMillis =
    failure.kind === "start-failed" || startedAtMillis === undefined ? undefined : failedAtMillis - startedAtMillis
  return { failure, failedAtMillis, ranMillis, exitCode: undefined, oomKills: 0 }
}

/** Returns when something may have happened, after a look at the engine that is on record. */
const hint = (context: SandboxContext) =>
  context.engine.waitContainer(context.containerId()).pipe(
    Effect.timeoutOption(lookEvery),
    Effect.catch(() => Effect.sleep("200 millis")),
    // A stop or a removal that is under way reports its own outcome.
    Effect.andThen(
      Effect.suspend(() => {
        const { status } = context.recorder.state()
        return status === "running" || status === "paused" ? refresh(context) : Effect.void
      })
    ),
    Effect.catch(() => Effect.sleep("200 millis"))
  )

/** The engine's events of the kill may come after its word of the death: as long is waited for them, where one would matter. */
const lateEvents = { schedule: Schedule.spaced("50 millis"), times: 5 }
const sigkill = 137

const endOf = Effect.fnUntraced(function* (context: SandboxContext, { sent }: Witness): Effect.fn.Return<Failure> {
  const { exit, startedAtMillis } = context.recorder.state()
  const { exitCode, oomKilled, finishedAtMillis } = exit ?? { exitCode: 0, oomKilled: false, finishedAtMillis: 0 }
  const kills = () => oomKillsAround(context, finishedAtMillis)
  const known = Effect.map(
    Ref.get(sent),
    (signals) => oomKilled || kills().near > 0 || signals.some(({ signal }) => signal === 9)
  )
  if (exitCode === sigkill) yield* Effect.repeat(known, { ...lateEvents, until: (isKnown) => isKnown })
  const { near, earlier } = kills()
  const signalsSent = (yield* Ref.get(sent))
    .filter(({ atMillis }) => Math.abs(finishedAtMillis - atMillis) <= relevantMillis)
    .map(({ signal }) => signal)
  return {
    failure: classify({
      sign: "exit",
      exitCode,
      oomFlag: oomKilled,
      oomKills: near,
      earlierOomKills: earlier,
      signalsSent
    }),
    failedAtMillis: finishedAtMillis,
    ranMillis: startedAtMillis === undefined ? undefined : finishedAtMillis - startedAtMillis,
    exitCode,
    oomKills: near
  }
})

/** Of this run, by the engine's times, which are its events' ids in nanoseconds. */
const oomKillsAround = (context: SandboxContext, endMillis: number) => {
  const { oomEventIds, startedAtMillis = 0 } = context.recorder.state()
  const times = oomEventIds.map((id) => Number(id) / 1e6).filter((at) => at >= startedAtMillis)
  const near = times.filter((at) => at >= endMillis - relevantMillis).length
  return { near, earlier: times.length - near }
}

/** What is said about a run that has ended, or about a sandbox that was stopped or paused meanwhile, is out of date. */
const awaitAlarm = Effect.fnUntraced(function* (
  context: SandboxContext,
  alarms: Queue.Queue<Alarm>
): Effect.fn.Return<Failure> {
  for (;;) {
    const { check, detail, sinceMillis, startedAtMillis, oomKills } = yield* Queue.take(alarms)
    const state = context.recorder.state()
    if (state.status !== "running" || state.startedAtMillis !== startedAtMillis) continue
    const failure = classify({ sign: "unhealthy", check, detail, oomKills })
    return {
      failure,
      failedAtMillis: sinceMillis,
      ranMillis: Math.max(0, sinceMillis - startedAtMillis),
      exitCode: undefined,
      oomKills
    }
  }
})

/** Whether what failed is still as it was, or has got worse by itself: its user may have been quicker. */
export const stillFailed = (context: SandboxContext, transitionsBefore: number): boolean => {
  const { status, counts, history } = context.recorder.state()
  return counts.transitions === transitionsBefore || (status === "stopped" && history.at(-1)?.event !== "Stopped")
}
