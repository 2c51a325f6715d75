/** Runs health checks for as long as the sandbox runs: changes are recorded, failures of those that count are raised. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { type Health, type HealthCheck, type HealthReport, initial, next, type Observation } from "../HealthCheck.ts"
import type { SandboxContext } from "./execStart.ts"
import * as HealthProbe from "./healthProbe.ts"
import { oomKills } from "./hostCgroup.ts"

/** A check that counts has come to `unhealthy`. */
export interface Alarm {
  readonly check: string
  readonly detail: string
  /** When the first of the looks that led to it failed, by our clock. */
  readonly sinceMillis: number
  /** The run it is about. */
  readonly startedAtMillis: number
  readonly oomKills: number
}

export interface HealthRun {
  readonly looker: Omit<HealthProbe.Looker, "memory">
  readonly alarms: Queue.Queue<Alarm>
  /** With every look. */
  readonly publish: (name: string, report: HealthReport) => Effect.Effect<void>
}

/** While it does not run, only our own record is looked at. */
const pollRecord = "100 millis"

export const runChecks = (run: HealthRun, checks: ReadonlyArray<HealthCheck>) =>
  Effect.forEach(checks, (check) => Effect.forever(follow(run, check)), { concurrency: "unbounded", discard: true })

interface Watch {
  readonly run: HealthRun
  readonly check: HealthCheck
  readonly memory: HealthProbe.Memory
  readonly startedAtMillis: number
  health: Health
  failingSinceMillis: number | undefined
  /** The kernel's count when it last succeeded. */
  killsWhenWell: number | undefined
}

/** One run of the main process, from its start to its end. */
const follow = Effect.fnUntraced(function* (run: HealthRun, check: HealthCheck) {
  const { context } = run.looker
  const { status, startedAtMillis } = context.recorder.state()
  if (status !== "running" || startedAtMillis === undefined) return yield* Effect.sleep(pollRecord)
  const memory: HealthProbe.Memory = { cpu: undefined }
  const killsWhenWell = yield* countKills(context)
  const watch: Watch = {
    run,
    check,
    memory,
    startedAtMillis,
    health: initial,
    failingSinceMillis: undefined,
    killsWhenWell
  }
  yield* Effect.sleep(check.initialDelay)
  while (isCurrent(watch)) {
    if (context.recorder.state().status !== "running") {
      // Paused, or being stopped: what cannot run cannot answer.
      yield* Effect.sleep(pollRecord)
      continue
    }
    const seen = yield* HealthProbe.look({ ...run.looker, memory }, check)
    // Killed with the container, or frozen half-way: that was no answer.
    if (isCurrent(watch) && context.recorder.state().status === "running") yield* take(watch, seen)
    yield* Effect.sleep(check.interval)
  }
})

const isCurrent = ({ run, startedAtMillis }: Watch) => {
  const state = run.looker.context.recorder.state()
  return state.startedAtMillis === startedAtMillis && state.status !== "stopped"
}

const take = Effect.fnUntraced(function* (watch: Watch, { level, detail }: Observation) {
  const { run, check } = watch
  const { context } = run.looker
  const atMillis = yield* Clock.currentTimeMillis
  if (level === "critical") watch.failingSinceMillis ??= atMillis
  if (level === "ok" || level === "warn") {
    watch.failingSinceMillis = undefined
    if (check.recover) watch.killsWhenWell = yield* countKills(context)
  }
  const before = watch.health
  watch.health = next(check, before, level)
  const { status, flapping } = watch.health
  if (status !== before.status || flapping !== before.flapping) {
    yield* context.recorder
      .report({
        _tag: "HealthChanged",
        atMillis,
        check: check.name,
        role: check.role,
        status,
        flapping,
        reason: detail
      })
      .pipe(Effect.ignore({ log: "Warn" }))
  }
  const { startedAtMillis } = watch
  // After the record: whoever sees it finds it there.
  yield* run.publish(check.name, { role: check.role, status, flapping, detail, startedAtMillis })
  if (check.recover && status === "unhealthy") yield* raise(watch, detail, atMillis)
})

/** With every look at which it is so: an earlier one may have come while nobody could act on it. */
const raise = Effect.fnUntraced(function* (watch: Watch, detail: string, atMillis: number) {
  const { run, check } = watch
  const now = yield* countKills(run.looker.context)
  const killed = now === undefined || watch.killsWhenWell === undefined ? 0 : now - watch.killsWhenWell
  const { startedAtMillis, failingSinceMillis = atMillis } = watch
  yield* Queue.offer(run.alarms, {
    check: check.name,
    detail,
    sinceMillis: failingSinceMillis,
    startedAtMillis,
    oomKills: Math.max(0, killed)
  })
})

/** Absent where the engine is not on this machine. */
const countKills = ({ engine, containerId }: SandboxContext): Effect.Effect<number | undefined> =>
  engine.inspectContainer(containerId()).pipe(
    Effect.map(({ state }) => (state.hostPid === undefined ? undefined : oomKills(containerId(), state.hostPid))),
    Effect.orElseSucceed(() => undefined)
  )
