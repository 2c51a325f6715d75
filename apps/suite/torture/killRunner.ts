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
  /** Absent when it died before it had one. */
  readonly journalId: string | undefined
  /** The evidence of a round that failed stays. */
  readonly keep: boolean
}

/** What is seen within 5 s of the kill, in the engine and on the machine. */
const look = Effect.fnUntraced(function* (cwd: string, pid: number, volumes: ReadonlyArray<string>) {
  const objects = yield* Remains.objectsOf(cwd)
  return [...objects, ...Remains.loopsOf(volumes), ...(yield* Remains.leasesOf(pid))]
})

/** A fault's sidecar is named after the fault, `flt_…`. */
const counts = (objects: ReadonlyArray<string>) => ({
  objects: objects.length,
  networks: objects.filter((line) => line.startsWith("network ")).length,
  sidecars: objects.filter((line) => line.startsWith("container ") && line.includes("-flt_")).length
})

const volumesIn = (objects: ReadonlyArray<string>): ReadonlyArray<string> =>
  objects.filter((line) => line.startsWith("volume ")).map((line) => line.slice("volume ".length))

const judge = Effect.fnUntraced(function* (
  victim: Victim.Victim,
  at: { readonly killedAt: number; readonly inFlight: ReadonlyArray<string> }
) {
  const { cwd, pid } = victim
  const gone = yield* Remains.awaitGone(look(cwd, pid, volumesIn(at.inFlight)), at.killedAt, limitMillis)
  const evidence = yield* Evidence.judge(cwd)
  return {
    gone,
    journalId: evidence.journalId,
    acknowledged: evidence.acknowledged,
    violations: [
      ...gone.left.map((what) => `left ${limitMillis / 1000} s after the kill: ${what}`),
      ...evidence.violations
    ]
  }
})

/**
 * Waits until a watchdog has ended, and looks once more, by label and by name: a late create must have been swept as well, and what
 * has lost its labels is nobody's to find later.
 */
const bury = Effect.fnUntraced(function* ({ cwd, killedAt, journalId, keep }: Dead) {
  const watchdogs = Effect.sync(() => Remains.processesOf(cwd))
  const silent = yield* Remains.awaitGone(watchdogs, killedAt, watchdogMillis)
  const labelled = yield* Remains.objectsOf(cwd)
  const named = journalId === undefined ? [] : yield* Remains.namedAfter(journalId)
  const late = new Set([...labelled, ...named])
  const violations = [
    ...silent.left.map((what) => `outlives its purpose: ${what}`),
    ...[...late].map((what) => `there again after the watchdog had ended: ${what}`)
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
    const { gone, journalId, acknowledged, violations } = yield* judge(victim, { killedAt, inFlight })
    dead.push({ cwd: victim.cwd, killedAt, journalId, keep: violations.length > 0 })
    return {
      round,
      what: `${killed ? `${whom} killed` : "ended by itself"} at ${delay} ms with ${inFlight.length} objects; gone after ${gone.millis} ms, ${acknowledged} appends acknowledged`,
      // Without its kill, a round shows nothing of one.
      figures: { ...(killed ? counts(inFlight) : {}), killed: killed ? 1 : 0, goneMillis: gone.millis, acknowledged },
      violations: [...violations, ...(yield* buryOld(dead, killedAt))]
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
  const unharmed = rounds.filter(({ figures }) => figures["killed"] === 0)
  const ever = (figure: string) => rounds.some(({ figures }) => (figures[figure] ?? 0) > 0)
  return [
    ...unharmed.map(({ round }) => `the run of round ${round} ended by itself before it was killed`),
    ...(ever("objects") ? [] : ["no round had an object in flight when it was killed"]),
    ...(ever("networks") ? [] : ["no round had a network in flight when it was killed"]),
    ...(ever("sidecars") ? [] : ["no round had a fault's sidecar in flight when it was killed"]),
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
