/**
 * kill -9 of a run at a drawn moment: nothing of it is in the engine or on the machine within 5 s, with no further command; its
 * journal holds, with every append that was acknowledged.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { drawing } from "./internal/draw.ts"
import * as Evidence from "./internal/evidence.ts"
import { failing } from "./internal/failing.ts"
import * as Remains from "./internal/remains.ts"
import * as Victim from "./internal/victim.ts"
import type { Round, RoundOptions, Torture } from "./Torture.ts"

const name = "kill-runner"
const sandboxes = 20
/** From the kill. */
const limitMillis = 5000
/** Moments are drawn from the start to this long after everything is in flight. */
const afterReadyMillis = 2000
/** A watchdog that is still there so long after the kill, twice the deadline of a create, has outlived its purpose. */
const watchdogMillis = 30_000

/** A run that was killed and whose watchdog may still be there. */
interface Dead {
  readonly cwd: string
  readonly killedAt: number
  /** The evidence of a round that failed stays. */
  readonly keep: boolean
}

/** What is seen within 5 s of the kill, in the engine and on the machine. */
const look = Effect.fnUntraced(function* (cwd: string, pid: number, volumes: ReadonlyArray<string>) {
  const objects = yield* Remains.objectsOf(cwd)
  return [...objects, ...Remains.loopsOf(volumes), ...(yield* Remains.leasesOf(pid))]
})

const volumesIn = (objects: ReadonlyArray<string>): ReadonlyArray<string> =>
  objects.filter((line) => line.startsWith("volume ")).map((line) => line.slice("volume ".length))

const judge = Effect.fnUntraced(function* (
  victim: Victim.Victim,
  at: { readonly killedAt: number; readonly inFlight: ReadonlyArray<string> }
) {
  const { cwd, pid } = victim
  const gone = yield* Remains.awaitGone(look(cwd, pid, volumesIn(at.inFlight)), at.killedAt, limitMillis)
  const path = yield* Evidence.journalOf(cwd)
  const evidence = path === undefined ? { acknowledged: 0, violations: [] } : yield* Evidence.judge(cwd, path)
  return {
    gone,
    acknowledged: evidence.acknowledged,
    violations: [
      ...gone.left.map((what) => `left ${limitMillis / 1000} s after the kill: ${what}`),
      ...evidence.violations
    ]
  }
})

/** Waits until a watchdog has ended, and looks once more: a late create must have been swept as well. */
const bury = Effect.fnUntraced(function* ({ cwd, killedAt, keep }: Dead) {
  const watchdogs = Effect.sync(() => Remains.processesOf(cwd))
  const silent = yield* Remains.awaitGone(watchdogs, killedAt, watchdogMillis)
  const late = yield* Remains.objectsOf(cwd)
  const violations = [
    ...silent.left.map((what) => `outlives its purpose: ${what}`),
    ...late.map((what) => `there again after the watchdog had ended: ${what}`)
  ]
  if (!keep && violations.length === 0) yield* (yield* FileSystem).remove(cwd, { recursive: true, force: true })
  return violations
})

const round = (readyMillis: number, dead: Array<Dead>) =>
  Effect.fnUntraced(function* ({ round, seed }: RoundOptions) {
    const next = drawing(seed, round)
    const delay = Math.round(next() * (readyMillis + afterReadyMillis))
    const whom = next() < 0.5 ? ("process" as const) : ("group" as const)
    const victim = yield* Victim.start({ torture: name, name: `round-${round}`, sandboxes })
    yield* Effect.sleep(delay)
    const inFlight = yield* Remains.objectsOf(victim.cwd)
    const killed = yield* victim.kill(whom)
    const killedAt = yield* Clock.currentTimeMillis
    const { gone, acknowledged, violations } = yield* judge(victim, { killedAt, inFlight })
    const early = killed ? [] : ["the run had ended by itself before it was killed"]
    dead.push({ cwd: victim.cwd, killedAt, keep: violations.length > 0 })
    return {
      round,
      what: `${whom} killed at ${delay} ms with ${inFlight.length} objects; gone after ${gone.millis} ms, ${acknowledged} appends acknowledged`,
      figures: { objects: inFlight.length, goneMillis: gone.millis, acknowledged },
      violations: [...early, ...violations, ...(yield* buryOld(dead, killedAt))]
    } satisfies Round
  }, failing(name))

/** Those whose watchdog must have ended by now; the others go on in the meantime. */
const buryOld = Effect.fnUntraced(function* (dead: Array<Dead>, now: number) {
  const old = dead.filter(({ killedAt }) => now - killedAt > watchdogMillis)
  dead.splice(0, old.length)
  return (yield* Effect.forEach(old, bury)).flat()
})

const prepare = Effect.gen(function* () {
  const { millis, victim } = yield* Victim.timeToReady({ torture: name, name: "measure", sandboxes, holdMillis: 0 })
  yield* victim.ended
  const dead: Array<Dead> = []
  const settle = Effect.suspend(() => Effect.forEach(dead.splice(0), bury)).pipe(
    Effect.map((violations) => violations.flat()),
    failing(name)
  )
  return { harm: round(millis, dead), settle }
}).pipe(failing(name))

/** A torture in which nothing was ever in flight has shown nothing. */
const conclude = (rounds: ReadonlyArray<Round>): ReadonlyArray<string> => {
  const ever = (figure: string) => rounds.some(({ figures }) => (figures[figure] ?? 0) > 0)
  return [
    ...(ever("objects") ? [] : ["no round had an object in flight when it was killed"]),
    ...(ever("acknowledged") ? [] : ["no round had an acknowledged append"])
  ]
}

export const killRunner: Torture = {
  name,
  description: `kill -9 of a run with ${sandboxes} sandboxes, networks and a fault in flight`,
  rounds: 200,
  prepare,
  conclude
}
