/**
 * Seeded logs with exactly as many entries of each level as asked for, whole or streamed in constant memory, as NDJSON or
 * plain text. Times come from the specification, never from a clock. Impossible counts are refused with `InvalidLog`.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"

export type Level = "debug" | "info" | "warn" | "error"

export const levels: ReadonlyArray<Level> = ["debug", "info", "warn", "error"]

/** Entries wanted of each level, and the mean gap between two of them in milliseconds (100 unless told). */
export interface Spec {
  readonly seed: Seed
  readonly counts: Readonly<Record<Level, number>>
  /** Time of the first entry, milliseconds since the epoch; 2026-01-01T00:00:00Z unless told. */
  readonly startMillis?: number
  /** Gaps are uniform from 0 to twice this, so times never go back and some are equal. */
  readonly gapMillis?: number
}

export interface Entry {
  /** 1, 2, 3, …: the line the entry stands on. */
  readonly line: number
  readonly timeMillis: number
  readonly level: Level
  readonly service: string
  /** Time the request took, in milliseconds. */
  readonly durationMillis: number
  readonly message: string
}

/** A whole log and what is known of it. */
export interface Log {
  readonly entries: ReadonlyArray<Entry>
  readonly counts: Readonly<Record<Level, number>>
  /** Numbers of the lines at level error, from 1, ascending. */
  readonly errorLines: ReadonlyArray<number>
}

/** A count or time out of range. */
export class InvalidLog extends Schema.TaggedError<InvalidLog>()("InvalidLog", {
  fact: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `Could not generate a log: ${this.fact}.\n${this.remedy}`
  }
}

/** Most entries held in memory; `stream` goes on to 2^40. */
export const maxEntries = 1_000_000
const maxStreamed = 2 ** 40
/** 9999-12-31T23:59:59.999Z, the last time with a four-digit year. */
const maxMillis = 253_402_300_799_999
const newYear2026 = 1_767_225_600_000

/** The whole log, up to `maxEntries`. */
export const make = Effect.fn("LogStream.make")(function* (spec: Spec): Effect.fn.Return<Log, InvalidLog> {
  const total = yield* check(spec, maxEntries)
  const next = source(spec)
  const entries = Array.from({ length: total }, next)
  const errors = entries.filter((entry) => entry.level === "error")
  return { entries, counts: spec.counts, errorLines: errors.map((entry) => entry.line) }
})

/** The same entries one by one; keeps none of them. Fails before the first entry. */
export const stream = (spec: Spec): Stream.Stream<Entry, InvalidLog> =>
  Stream.unwrap(
    Effect.map(check(spec, maxStreamed), (total) =>
      Stream.suspend(() => {
        const next = source(spec)
        return Stream.unfold(0, (made) => Effect.sync(() => (made < total ? ([next(), made + 1] as const) : undefined)))
      })
    )
  )

/** One JSON object with `time` (ISO 8601, UTC), `level`, `service`, `durationMillis` and `message`; no line end. */
export const jsonLine = (entry: Entry): string => encode({ ...entry, time: iso(entry.timeMillis) })

/** `2026-01-01T00:00:00.000Z ERROR [api] message (12 ms)`; no line end. */
export const plainLine = (entry: Entry): string =>
  `${iso(entry.timeMillis)} ${entry.level.toUpperCase()} [${entry.service}] ${entry.message} (${entry.durationMillis} ms)`

/** One `jsonLine` a line, each ended by LF. */
export const ndjson = (log: Log): string => log.entries.map((entry) => `${jsonLine(entry)}\n`).join("")

/** One `plainLine` a line, each ended by LF. */
export const plain = (log: Log): string => log.entries.map((entry) => `${plainLine(entry)}\n`).join("")

const encode = Schema.encodeSync(
  Schema.fromJsonString(
    Schema.Struct({
      time: Schema.String,
      level: Schema.Literals(levels),
      service: Schema.String,
      durationMillis: Schema.Int,
      message: Schema.String
    })
  )
)

const iso = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))

const services = ["api", "auth", "billing", "search"]
/** No message holds the name of another level, so that `grep -c ERROR` counts the errors of a plain log. */
const messages: Readonly<Record<Level, ReadonlyArray<string>>> = {
  debug: ["cache hit", "connection reused", "query planned"],
  info: ["request served", "session opened", "job finished"],
  warn: ["slow response", "retrying upstream", "queue above half"],
  error: ["upstream refused the connection", "request timed out", "row not written: disk full"]
}

function check(spec: Spec, most: number): Effect.Effect<number, InvalidLog> {
  const total = levels.reduce((sum, level) => sum + spec.counts[level], 0)
  const { startMillis = newYear2026, gapMillis = 100 } = spec
  const facts: ReadonlyArray<readonly [string, number, number]> = [
    ...levels.map((level) => [`the count of ${level}`, spec.counts[level], most] as const),
    ["the number of entries", total, most],
    ["startMillis", startMillis, maxMillis],
    ["gapMillis", gapMillis, maxMillis],
    ["the latest possible time", startMillis + 2 * gapMillis * Math.max(total - 1, 0), maxMillis]
  ]
  for (const [name, value, limit] of facts) {
    if (Number.isInteger(value) && value >= 0 && value <= limit) continue
    const remedy = `Let it be a whole number from 0 to ${limit}.`
    return Effect.fail(new InvalidLog({ fact: `${name} is ${value}`, remedy }))
  }
  return Effect.succeed(total)
}

/** Levels are drawn from an urn without putting back: counts come out exact and nothing but they is kept. */
function source(spec: Spec): () => Entry {
  const random = SeededRandom.make(spec.seed, "LogStream")
  const urn = { ...spec.counts }
  let [line, timeMillis] = [0, spec.startMillis ?? newYear2026]
  return () => {
    if (line > 0) timeMillis += random.integer(0, 2 * (spec.gapMillis ?? 100))
    const level = draw(urn, random)
    urn[level]--
    line++
    const service = random.choice(services)
    const message = random.choice(messages[level])
    return { line, timeMillis, level, service, message, durationMillis: random.integer(1, 2000) }
  }
}

function draw(urn: Readonly<Record<Level, number>>, random: SeededRandom.SeededRandom): Level {
  let ticket = random.integer(1, urn.debug + urn.info + urn.warn + urn.error)
  for (const level of levels) {
    ticket -= urn[level]
    if (ticket <= 0) return level
  }
  throw new RangeError("Could not draw a level: the urn is empty.")
}
