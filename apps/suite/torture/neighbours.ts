/** Two runs side by side on one engine, one of them killed -9: the other ends with its verdict, and of the killed one nothing is left. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { drawing } from "./internal/draw.ts"
import * as Evidence from "./internal/evidence.ts"
import { failing } from "./internal/failing.ts"
import * as Remains from "./internal/remains.ts"
import * as Victim from "./internal/victim.ts"
import type { Round, RoundOptions, Torture } from "./Torture.ts"

const name = "neighbours"
const sandboxes = 6
const limitMillis = 5000

const round = Effect.fnUntraced(function* ({ round, seed }: RoundOptions) {
  const next = drawing(seed, round)
  const survivor = yield* Victim.start({ torture: name, name: `round-${round}-survivor`, sandboxes })
  const victim = yield* Victim.start({ torture: name, name: `round-${round}-victim`, sandboxes })
  yield* Effect.all([survivor.ready, victim.ready], { concurrency: "unbounded", discard: true })
  const delay = Math.round(next() * 1000)
  yield* Effect.sleep(delay)
  const before = yield* Remains.objectsOf(survivor.cwd)
  yield* victim.kill(next() < 0.5 ? "process" : "group")
  const killedAt = yield* Clock.currentTimeMillis
  const gone = yield* Remains.awaitGone(Remains.objectsOf(victim.cwd), killedAt, limitMillis)
  const after = yield* Remains.objectsOf(survivor.cwd)
  // Only now: what it takes down itself must not look lost.
  yield* survivor.release
  const ended = yield* survivor.ended
  const left = yield* Remains.objectsOf(survivor.cwd)
  const evidence = yield* Evidence.judge(survivor.cwd)
  const violations = [
    ...gone.left.map((what) => `left ${limitMillis / 1000} s after the kill: ${what}`),
    ...before.filter((what) => !after.includes(what)).map((what) => `the neighbour lost ${what}`),
    ...(ended.code === 0 ? [] : [`the neighbour ended with ${ended.code ?? ended.signal}; see ${survivor.log}`]),
    ...left.map((what) => `the neighbour left ${what}`),
    ...(evidence.journalId === undefined ? ["the neighbour has no journal"] : evidence.violations)
  ]
  const fs = yield* FileSystem
  if (violations.length === 0) {
    for (const cwd of [survivor.cwd, victim.cwd]) yield* fs.remove(cwd, { recursive: true, force: true })
  }
  return {
    round,
    what: `killed ${delay} ms after both were up; gone after ${gone.millis} ms, the neighbour kept ${after.length} objects`,
    figures: { goneMillis: gone.millis, neighbourObjects: before.length },
    violations
  } satisfies Round
}, failing(name))

const conclude = (rounds: ReadonlyArray<Round>): ReadonlyArray<string> =>
  rounds.every(({ figures }) => (figures["neighbourObjects"] ?? 0) > 0) ? [] : ["a neighbour had nothing to lose"]

export const neighbours: Torture = {
  name,
  description: "two runs side by side, one of them killed -9",
  rounds: 10,
  prepare: Effect.succeed({ harm: round, settle: Effect.succeed([]) }),
  conclude
}
