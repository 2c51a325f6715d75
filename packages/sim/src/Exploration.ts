/**
 * Runs many seeds, each twice, and tells what was violated, with the command that repeats it. Refuses to call clean what was not tried:
 * a fault kind or a branch that was declared and never reached in all seeds is a finding.
 */
import { Cause, Clock, Duration, Effect, Exit } from "effect"
import * as Simulation from "./Simulation.ts"
import type { World } from "./World.ts"

/** What one run of one seed showed. */
export interface Judgement {
  /** Sentences; none when every invariant held. */
  readonly violations: ReadonlyArray<string>
  /** How often each fault kind struck and each branch was reached. */
  readonly reached: Readonly<Record<string, number>>
}

export interface Options<E> {
  /** First seed; the next ones follow. */
  readonly from: number
  /** How many at most. Default: as many as the budget allows. */
  readonly seeds?: number | undefined
  /** Real time; looked at between seeds. Default: no limit. */
  readonly budget?: Duration.Input | undefined
  readonly program: Effect.Effect<Judgement, E, World>
  /** What must be reached at least once over all seeds. */
  readonly sometimes: ReadonlyArray<string>
  /** The command that repeats one seed. */
  readonly replay: (seed: number) => string
  /** Stop after so many violating seeds. Default 10. */
  readonly patience?: number | undefined
  readonly maxSteps?: number | undefined
  /** Run each seed once instead of twice: for a search that need not show that it can be repeated. Default false. */
  readonly once?: boolean | undefined
  readonly log?: ((line: string) => void) | undefined
}

export interface Violation {
  readonly seed: number
  readonly violations: ReadonlyArray<string>
  readonly replay: string
}

export interface Report {
  readonly from: number
  /** How many were run. */
  readonly seeds: number
  /** How often each was run: twice, and it took the same way both times or is among the violations, unless asked for once. */
  readonly runsPerSeed: 1 | 2
  readonly steps: number
  readonly virtualMillis: number
  readonly realMillis: number
  /** In how many seeds each fault kind struck and each branch was reached. */
  readonly histories: Readonly<Record<string, number>>
  readonly violations: ReadonlyArray<Violation>
  /** Declared, and reached in no seed. */
  readonly unreached: ReadonlyArray<string>
}

/** Whether every invariant held in every seed and everything declared was reached. */
export const isClean = (report: Report): boolean => report.violations.length === 0 && report.unreached.length === 0

export const explore = Effect.fnUntraced(function* <E>(options: Options<E>): Effect.fn.Return<Report> {
  const { from, seeds = Number.POSITIVE_INFINITY, patience = 10 } = options
  const budgetMillis = options.budget === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(options.budget)
  const startedAt = yield* Clock.currentTimeMillis
  const histories = new Map<string, number>(options.sometimes.map((name) => [name, 0]))
  const violations: Array<Violation> = []
  let count = 0
  let steps = 0
  let virtualMillis = 0
  let realMillis = 0
  while (count < seeds && violations.length < patience && realMillis < budgetMillis) {
    const seed = from + count
    const found = yield* judge(options, seed)
    count++
    steps += found.steps
    virtualMillis += found.elapsedMillis
    for (const [name, times] of Object.entries(found.reached)) {
      histories.set(name, (histories.get(name) ?? 0) + (times > 0 ? 1 : 0))
    }
    if (found.violations.length > 0) {
      violations.push({ seed, violations: found.violations, replay: options.replay(seed) })
    }
    realMillis = (yield* Clock.currentTimeMillis) - startedAt
    // Signals and timers of the real process get their turn.
    yield* Effect.yieldNow
  }
  const unreached = options.sometimes.filter((name) => histories.get(name) === 0)
  return {
    from,
    seeds: count,
    runsPerSeed: options.once === true ? 1 : 2,
    steps,
    virtualMillis,
    realMillis,
    histories: Object.fromEntries([...histories].sort(([a], [b]) => (a < b ? -1 : 1))),
    violations,
    unreached
  }
})

interface Found extends Judgement {
  readonly steps: number
  readonly elapsedMillis: number
}

/** A run that fails, dies, hangs or cannot be repeated is a violation too. */
const judge = <E>({ program, maxSteps, log, once }: Options<E>, seed: number): Effect.Effect<Found> =>
  (once === true ? Simulation.run : Simulation.runTwice)({ seed, program, maxSteps, log }).pipe(
    Effect.map(({ exit, steps, elapsedMillis }): Found => {
      const judgement = Exit.isSuccess(exit)
        ? exit.value
        : { violations: [`the simulation itself failed: ${Cause.pretty(exit.cause)}`], reached: {} }
      return { ...judgement, steps, elapsedMillis }
    }),
    Effect.catch((error) => Effect.succeed({ violations: [error.message], reached: {}, steps: 0, elapsedMillis: 0 }))
  )

/** The report as lines for people. */
export const describe = (report: Report): string => {
  const seconds = report.realMillis / 1000
  const lines = [
    `${report.seeds} seeds from ${report.from}, each run ${report.runsPerSeed === 2 ? "twice" : "once"}, in ${seconds.toFixed(1)} s ` +
      `(${((report.runsPerSeed * report.seeds) / Math.max(seconds, 0.001)).toFixed(0)} simulations/s, ${report.steps} steps, ` +
      `${(report.virtualMillis / 3_600_000).toFixed(1)} h of virtual time)`,
    "histories with",
    ...Object.entries(report.histories).map(([name, count]) => `  ${name.padEnd(28)} ${count}`)
  ]
  for (const name of report.unreached) lines.push(`never reached: ${name}`)
  for (const { seed, violations, replay } of report.violations) {
    lines.push(`seed ${seed} violates`, ...violations.map((text) => `  ${text}`), `  replay: ${replay}`)
  }
  lines.push(
    report.violations.length === 0 ? "no invariant violated" : `${report.violations.length} seeds violate invariants`
  )
  return lines.join("\n")
}
