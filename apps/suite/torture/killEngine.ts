/**
 * kill -9 of the engine in the middle of a run: the run ends in bounded time with a verdict of its own, its journal holds, and once the
 * engine is back nothing of the run is left. Works on an engine of its own only.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type * as Option from "effect/Option"
import { drawing } from "./internal/draw.ts"
import * as Evidence from "./internal/evidence.ts"
import { failing } from "./internal/failing.ts"
import * as OwnEngine from "./internal/ownEngine.ts"
import { TorturePlace } from "./internal/place.ts"
import type * as Program from "./internal/program.ts"
import * as Remains from "./internal/remains.ts"
import * as Victim from "./internal/victim.ts"
import type { Round, RoundOptions, Torture } from "./Torture.ts"

const name = "kill-engine"
const sandboxes = 8
const holdMillis = 2000
/** A run that has not ended so long after the engine's death hangs. */
const endMillis = 90_000
/** After the engine is back and `reap` has ended. */
const limitMillis = 5000

/** The daemon alone: what keeps its containers alive is then without a master, as after a crash. */
const kill = (pid: number) => Effect.sync(() => process.kill(pid, "SIGKILL"))

const victimOf = (engine: OwnEngine.OwnEngine, folder: string): Victim.VictimOptions => ({
  torture: name,
  name: folder,
  sandboxes,
  holdMillis,
  env: engine.env
})

/** Exit codes by which a run says that it ended by itself: fail, unknown, no engine, or pass when it was done before. */
const own: ReadonlySet<number | null> = new Set([0, 1, 3, 4])

/** What a round came to. */
export interface Outcome {
  /** None when it hung. */
  readonly ended: Option.Option<Program.Ended>
  readonly log: string
  /** What the engine still had of the run when it was back, before anybody reaped. */
  readonly unreaped: ReadonlyArray<string>
  /** Exit code of `reap`. */
  readonly reaped: number | null
  readonly left: ReadonlyArray<string>
  /** What is wrong with the journal. */
  readonly evidence: ReadonlyArray<string>
}

const endOf = ({ ended }: Outcome) => (ended._tag === "None" ? "hangs" : (ended.value.code ?? ended.value.signal))

/** Everything that does not hold, in a line each. */
export const violations = (outcome: Outcome): ReadonlyArray<string> => {
  const { ended, evidence, left, log, reaped, unreaped } = outcome
  const saysPass = ended._tag === "Some" && ended.value.code === 0
  return [
    ...(ended._tag === "None" ? [`the run hangs ${endMillis / 1000} s after the engine's death`] : []),
    ...(ended._tag === "Some" && !own.has(ended.value.code)
      ? [`the run ended with ${endOf(outcome)}; see ${log}`]
      : []),
    ...(saysPass ? unreaped.map((what) => `the run says pass and left ${what}`) : []),
    ...(reaped === 0 ? [] : [`reap ended with ${reaped}`]),
    ...left.map((what) => `left after the engine was back: ${what}`),
    ...evidence
  ]
}

const round = (engine: OwnEngine.OwnEngine, readyMillis: number) =>
  Effect.fnUntraced(function* ({ round, seed }: RoundOptions) {
    if (!(yield* engine.answers)) yield* engine.up
    const delay = Math.round(drawing(seed, round)() * (readyMillis + holdMillis))
    const victim = yield* Victim.start(victimOf(engine, `round-${round}`))
    yield* Effect.sleep(delay)
    const inFlight = yield* Effect.orElseSucceed(engine.objectsOf(victim.cwd), () => [])
    yield* kill(yield* engine.daemon)
    const killedAt = yield* Clock.currentTimeMillis
    const ended = yield* Effect.timeoutOption(victim.ended, endMillis)
    const tookMillis = (yield* Clock.currentTimeMillis) - killedAt
    if (ended._tag === "None") yield* victim.kill("group")
    yield* engine.up
    const unreaped = yield* engine.objectsOf(victim.cwd)
    const reaped = yield* engine.command(["reap"])
    const gone = yield* Remains.awaitGone(engine.objectsOf(victim.cwd), yield* Clock.currentTimeMillis, limitMillis)
    const evidence = yield* Evidence.judge(victim.cwd)
    const outcome = {
      ended,
      log: victim.log,
      unreaped,
      reaped: reaped.code,
      left: gone.left,
      evidence: evidence.violations
    }
    const violated = violations(outcome)
    if (violated.length === 0) yield* (yield* FileSystem).remove(victim.cwd, { recursive: true, force: true })
    return {
      round,
      what: `engine killed at ${delay} ms with ${inFlight.length} objects; the run ended with ${endOf(outcome)} after ${tookMillis} ms`,
      figures: { objects: inFlight.length, endMillis: tookMillis, acknowledged: evidence.acknowledged },
      violations: violated
    } satisfies Round
  }, failing(name))

const prepare = Effect.gen(function* () {
  const { directory } = yield* TorturePlace
  const engine = yield* OwnEngine.make(name, directory)
  yield* engine.command(["images", "build", "tiny"])
  const { millis, victim } = yield* Victim.timeToReady({ ...victimOf(engine, "measure"), holdMillis: 0 })
  yield* victim.ended
  return { harm: round(engine, millis), settle: Effect.succeed([]) }
}).pipe(failing(name))

const conclude = (rounds: ReadonlyArray<Round>): ReadonlyArray<string> =>
  rounds.some(({ figures }) => (figures["objects"] ?? 0) > 0) ? [] : ["no round had an object in flight"]

export const killEngine: Torture = {
  name,
  description: "kill -9 of the engine in the middle of a run",
  rounds: 30,
  prepare,
  conclude
}
