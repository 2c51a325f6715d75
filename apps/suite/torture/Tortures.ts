/** All tortures, and running one: bounded rounds, safe to interrupt, every violation with the command that repeats its round. */
import * as Verdict from "@sbx/core/Verdict"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Composition from "../src/Composition.ts"
import { Images } from "../src/Images.ts"
import { nearest } from "../src/internal/nearest.ts"
import { Progress } from "../src/Progress.ts"
import * as Recovery from "../src/Recovery.ts"
import { TorturePlace } from "./internal/place.ts"
import * as Remains from "./internal/remains.ts"
import { killEngine } from "./killEngine.ts"
import { killRunner } from "./killRunner.ts"
import { neighbours } from "./neighbours.ts"
import { simulation } from "./simulation.ts"
import { Round, type Torture } from "./Torture.ts"

export const tortures: ReadonlyArray<Torture> = [killRunner, killEngine, neighbours, simulation]

/** No torture has that name. */
export class UnknownTorture extends Schema.TaggedError<UnknownTorture>()("UnknownTorture", {
  name: Schema.String,
  nearest: Schema.Array(Schema.String)
}) {
  override get message() {
    const hint = this.nearest.length === 0 ? tortures.map(({ name }) => name) : this.nearest
    return `Could not find the torture ${this.name}.\nDid you mean: ${hint.join(", ")}?`
  }
}

/** JSON of `torture --json`. */
export const Report = Schema.Struct({
  torture: Schema.String,
  seed: Schema.Int,
  /** What was asked; fewer ran when it was interrupted or bailed out. */
  asked: Schema.Int,
  rounds: Schema.Array(Round),
  /** Violations that showed after the last round only. */
  later: Schema.Array(Schema.String),
  /** What the rounds together lack. */
  lacking: Schema.Array(Schema.String),
  verdict: Verdict.Verdict
})
export type Report = typeof Report.Type

export const find = Effect.fnUntraced(function* (name: string) {
  const known = tortures.map((one) => one.name)
  const torture = tortures.find((one) => one.name === name)
  if (torture === undefined) return yield* new UnknownTorture({ name, nearest: nearest(name, known) })
  return torture
})

export interface RunOptions {
  readonly torture: Torture
  readonly rounds: number
  /** First round's number. */
  readonly from: number
  readonly seed: number
  readonly install: boolean
  /** Absolute; its `.sbx/torture` holds the rounds' folders. */
  readonly directory: string
  readonly onRound: (round: Round) => Effect.Effect<void>
}

export const run = Effect.fn("Tortures.run")(function* (options: RunOptions) {
  const fs = yield* FileSystem
  const parent = `${options.directory}/.sbx/torture`
  yield* fs.makeDirectory(parent, { recursive: true })
  const directory = yield* fs.makeTempDirectory({ directory: parent, prefix: `${options.torture.name}-` })
  const services = Composition.recovery({ install: options.install }).pipe(
    Layer.provideMerge(Layer.succeed(TorturePlace, { directory }))
  )
  const report = yield* torment(options, directory).pipe(Effect.provide(services))
  // What a violation left is its evidence.
  if (report.verdict._tag !== "fail") yield* fs.remove(directory, { recursive: true, force: true })
  return report
})

const torment = Effect.fnUntraced(function* (options: RunOptions, directory: string) {
  const { torture, seed, from } = options
  const progress = yield* Progress
  yield* Recovery.atStart({ directory: options.directory })
  yield* (yield* Images).reference("tiny")
  yield* progress.status(`${torture.name}: measuring an unharmed run`)
  const rounds: Array<Round> = []
  const later = yield* Effect.scoped(
    Effect.gen(function* () {
      const { harm, settle } = yield* torture.prepare
      for (let round = from; round < from + options.rounds; round++) {
        yield* progress.status(`${torture.name}: round ${round + 1 - from} of ${options.rounds}`)
        const one = yield* Effect.scoped(harm({ round, seed }))
        rounds.push(one)
        yield* progress.status("")
        yield* options.onRound(one)
      }
      yield* progress.status(`${torture.name}: looking once more`)
      return yield* settle
    })
  ).pipe(Effect.onInterrupt(() => Effect.ignore(abandon(options, directory, rounds))))
  yield* progress.status("")
  const lacking = torture.conclude(rounds)
  const verdict = Verdict.mergeAll([judge(rounds, lacking), ...later.map((what) => Verdict.fail(what))])
  return { torture: torture.name, seed, asked: options.rounds, rounds, later, lacking, verdict } satisfies Report
})

/** Watchdogs of the killed have ended by then, or they outlive their purpose and what they hold is evidence. */
const silentMillis = 30_000

/** An interrupt leaves nothing but the evidence of a violation: the watchdogs of what it killed do their work, and then it is gone. */
const abandon = Effect.fnUntraced(function* (options: RunOptions, directory: string, rounds: ReadonlyArray<Round>) {
  const watchdogs = Effect.sync(() => Remains.processesOf(directory))
  const { left } = yield* Remains.awaitGone(watchdogs, yield* Clock.currentTimeMillis, silentMillis)
  yield* Recovery.atStart({ directory: options.directory })
  const held = rounds.every(({ violations }) => violations.length === 0)
  if (held && left.length === 0) yield* (yield* FileSystem).remove(directory, { recursive: true, force: true })
})

/** The verdict of all rounds: a violation is a failure, and what no round ever showed leaves it unknown. */
export const judge = (rounds: ReadonlyArray<Round>, lacking: ReadonlyArray<string>): Verdict.Verdict =>
  Verdict.mergeAll([
    ...rounds.map(({ round, violations }) =>
      violations[0] === undefined ? Verdict.pass : Verdict.fail(`round ${round}: ${violations[0]}`)
    ),
    ...lacking.map((what) => Verdict.unknown(what))
  ])
