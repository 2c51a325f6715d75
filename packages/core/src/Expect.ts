/**
 * Assertions as effects: they succeed, or fail with `ExpectationFailed` that carries what was expected, what was found and
 * where. What cannot be told is `Undecidable`, which no one may take for a pass. Times come from the `Clock` service.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The subject is not as it should be. */
export class ExpectationFailed extends Schema.TaggedError<ExpectationFailed>()("ExpectationFailed", {
  /** Subject of the sentence, e.g. `exit code of ["false"]`. */
  what: Schema.String,
  expected: Schema.String,
  actual: Schema.String,
  /** Whatever helps to understand it: output, limits, attempts. */
  context: Schema.Record(Schema.String, Schema.String)
}) {
  override get message() {
    const context = Object.entries(this.context).map(([key, value]) => `\n  ${key}: ${value}`)
    return `Expected ${this.what} to be ${this.expected}, found ${this.actual}.${context.join("")}`
  }
}

/** The expectation could not be judged: a missing tool, too few samples, an answer that says neither yes nor no. */
export class Undecidable extends Schema.TaggedError<Undecidable>()("Undecidable", {
  what: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not judge ${this.what}: ${this.detail}.`
  }
}

type Context = Readonly<Record<string, string>>

/** Fails with the given facts unless `holds`. */
export const that = (
  holds: boolean,
  facts: { readonly what: string; readonly expected: string; readonly actual: string; readonly context?: Context }
): Effect.Effect<void, ExpectationFailed> =>
  holds ? Effect.void : Effect.fail(new ExpectationFailed({ ...facts, context: facts.context ?? {} }))

/** Identity of plain values. */
export const equals = <A extends string | number | boolean | undefined>(what: string, actual: A, expected: A) =>
  that(actual === expected, { what, expected: show(expected), actual: show(actual) })

const show = (value: string | number | boolean | undefined) =>
  typeof value === "string" ? `"${value}"` : String(value)

export interface Polling {
  readonly within: Duration.Input
  /** Pause between attempts. Default 50 ms. */
  readonly every?: Duration.Input
}

const pauseOf = (every: Duration.Input | undefined) => Duration.toMillis(Duration.fromInputUnsafe(every ?? "50 millis"))
const spell = (duration: Duration.Input) => `${Duration.toMillis(Duration.fromInputUnsafe(duration))} ms`

/**
 * Repeats until it succeeds. At the deadline a failed expectation is reported with the last finding and the number of attempts;
 * another error of the last attempt is passed on as it is. An attempt that hangs is interrupted at the deadline.
 */
export const eventually = Effect.fnUntraced(function* <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>,
  options: Polling
): Effect.fn.Return<A, E | ExpectationFailed, R> {
  const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.fromInputUnsafe(options.within))
  const every = pauseOf(options.every)
  let last: E | undefined
  for (let attempts = 1; ; attempts++) {
    const remaining = Math.max(1, deadline - (yield* Clock.currentTimeMillis))
    const result = yield* Effect.result(Effect.timeoutOption(effect, remaining))
    if (result._tag === "Success" && result.success._tag === "Some") return result.success.value
    if (result._tag === "Failure") last = result.failure
    const left = deadline - (yield* Clock.currentTimeMillis)
    if (left <= 0) return yield* tooLate(what, options.within, attempts, last)
    yield* Effect.sleep(Math.min(every, left))
  }
})

const tooLate = <E>(
  what: string,
  within: Duration.Input,
  attempts: number,
  last: E | undefined
): Effect.Effect<never, E | ExpectationFailed> => {
  const finding = last instanceof ExpectationFailed ? last : undefined
  if (last !== undefined && finding === undefined) return Effect.fail(last)
  return new ExpectationFailed({
    what,
    expected: `so within ${spell(within)}`,
    actual: finding?.actual ?? "no answer",
    context: { attempts: String(attempts), ...(finding === undefined ? {} : { last: finding.message }) }
  })
}

/** Repeats for the whole time, at its start and its end at least; the first failure ends it. Resolves to the number of attempts. */
export const consistently = Effect.fnUntraced(function* <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>,
  options: { readonly for: Duration.Input; readonly every?: Duration.Input }
): Effect.fn.Return<number, E | ExpectationFailed, R> {
  const start = yield* Clock.currentTimeMillis
  const end = start + Duration.toMillis(Duration.fromInputUnsafe(options.for))
  const every = pauseOf(options.every)
  for (let attempts = 1; ; attempts++) {
    const result = yield* Effect.result(effect)
    const now = yield* Clock.currentTimeMillis
    if (result._tag === "Failure") return yield* notKept(what, options.for, now - start, attempts, result.failure)
    if (now >= end) return attempts
    yield* Effect.sleep(Math.min(every, end - now))
  }
})

const notKept = <E>(
  what: string,
  span: Duration.Input,
  afterMillis: number,
  attempts: number,
  error: E
): Effect.Effect<never, E | ExpectationFailed> =>
  error instanceof ExpectationFailed
    ? new ExpectationFailed({
        what,
        expected: `so for ${spell(span)}`,
        actual: `${error.actual} after ${afterMillis} ms`,
        context: { attempts: String(attempts), last: error.message }
      })
    : Effect.fail(error)

/** Runs it and fails when it takes longer; it is then interrupted. */
export const within = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>,
  deadline: Duration.Input
): Effect.Effect<A, E | ExpectationFailed, R> =>
  Effect.timeoutOrElse(effect, {
    duration: deadline,
    orElse: () =>
      Effect.fail(
        new ExpectationFailed({
          what,
          expected: `done within ${spell(deadline)}`,
          actual: "still running",
          context: {}
        })
      )
  })

/**
 * Event tags in order. `exact`: these and no others. `subsequence`: these in this order, others may lie between.
 */
export const eventSequence = (
  actual: ReadonlyArray<string>,
  expected: ReadonlyArray<string>,
  mode: "exact" | "subsequence" = "exact"
): Effect.Effect<void, ExpectationFailed> => {
  let matched = 0
  for (const tag of actual) if (matched < expected.length && tag === expected[matched]) matched++
  const holds = matched === expected.length && (mode === "subsequence" || actual.length === expected.length)
  return that(holds, {
    what: `the events (${mode})`,
    expected: expected.join(" "),
    actual: actual.join(" "),
    context: matched === expected.length ? {} : { "first missing": expected[matched] ?? "" }
  })
}

/** Nearest-rank percentile; nothing for no samples. `percent` is above 0, up to 100. */
export const percentile = (samples: ReadonlyArray<number>, percent: number): number | undefined =>
  samples.toSorted((a, b) => a - b)[Math.max(1, Math.ceil((percent / 100) * samples.length)) - 1]

/**
 * The percentile of the samples is at most the budget. Undecidable below 100 / (100 - percent) samples (20 for the 95th), where
 * it would be the maximum by another name.
 */
export const percentileBelow = (
  what: string,
  samples: ReadonlyArray<number>,
  percent: number,
  budget: number
): Effect.Effect<number, ExpectationFailed | Undecidable> => {
  const needed = percent >= 100 ? 1 : Math.ceil(100 / (100 - percent))
  const value = percentile(samples, percent)
  if (value === undefined || samples.length < needed) {
    return new Undecidable({ what, detail: `${samples.length} samples, p${percent} needs ${needed}` })
  }
  return that(value <= budget, {
    what: `p${percent} of ${what}`,
    expected: `at most ${budget}`,
    actual: String(value),
    context: { samples: String(samples.length) }
  }).pipe(Effect.as(value))
}

/** The mean of the samples is below the budget. Undecidable without samples. Resolves to the mean. */
export const averageBelow = (
  what: string,
  samples: ReadonlyArray<number>,
  budget: number
): Effect.Effect<number, ExpectationFailed | Undecidable> => {
  if (samples.length === 0) return new Undecidable({ what, detail: "no samples" })
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length
  return that(mean < budget, {
    what: `average of ${what}`,
    expected: `below ${budget}`,
    actual: String(mean),
    context: { samples: String(samples.length), worst: String(Math.max(...samples)) }
  }).pipe(Effect.as(mean))
}

/** Nothing is there that was not there before. */
export const noLeaks = (
  what: string,
  before: Iterable<string>,
  after: Iterable<string>
): Effect.Effect<void, ExpectationFailed> => {
  const known = new Set(before)
  const left = [...after].filter((name) => !known.has(name))
  return that(left.length === 0, {
    what: `${what} left over`,
    expected: "none",
    actual: `${left.length}: ${left.slice(0, 20).join(", ")}`
  })
}
