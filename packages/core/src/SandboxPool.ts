/**
 * Sandboxes made ahead, so that taking one costs no engine call. Each is used once: what is handed out was started for this pool
 * and touched by nobody, and is removed when its taker's scope closes. Idle ones count as alive for the limit of `Sandboxes`, and
 * give way to whoever waits there. Refuses to try for ever what fails each time.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { canonicalJson, sha256 } from "./internal/digest.ts"
import type { Stock, StockError, StockStats } from "./internal/poolState.ts"
import * as PoolStock from "./internal/poolStock.ts"
import { watch } from "./internal/poolWatch.ts"
import { type Nursery, nurseryOf } from "./internal/sandboxInternals.ts"
import type { Sandbox } from "./SandboxHandle.ts"
import { type MakeError, Sandboxes } from "./Sandboxes.ts"
import type { SandboxOptions } from "./SandboxOptions.ts"

/** The stock of one spec. */
export interface PoolOptions {
  /** Default: a sandbox of all defaults. */
  readonly spec?: SandboxOptions
  /** Idle ones kept ready. Default 1. */
  readonly min?: number
  /** Most that are idle or being made; reached when taking is faster than making. Default: `min`, at least 1. */
  readonly max?: number
  /** How long one stays idle; then it is replaced, or given up where more than `min` are. Default 5 minutes. */
  readonly ttl?: Duration.Input
  /** What `acquire` does when none is idle: waits for the next (default), fails, or makes one for itself. */
  readonly onEmpty?: "wait" | "reject" | "cold"
  /** After so many failed creates in a row (default 3) none is tried for the cooldown (default 10 s), then one. */
  readonly breaker?: { readonly failures?: number; readonly cooldown?: Duration.Input }
  /** What `acquire` does when none is idle and none is tried: fails with the last cause (default), or waits. */
  readonly whileOpen?: "fail" | "wait"
}

/** The options do not describe a pool. All issues are listed. */
export class InvalidPoolOptions extends Schema.TaggedError<InvalidPoolOptions>()("InvalidPoolOptions", {
  issues: Schema.Array(Schema.Struct({ field: Schema.String, value: Schema.String, expectation: Schema.String }))
}) {
  readonly retryable = false
  override get message() {
    const lines = this.issues.map((issue) => `${issue.field} is ${issue.value}, expected ${issue.expectation}`)
    return `Could not make a sandbox pool: ${lines.join("; ")}.\nCorrect the named options.`
  }
}

/** No stock is kept of this spec. */
export class PoolNotConfigured extends Schema.TaggedError<PoolNotConfigured>()("PoolNotConfigured", {
  specDigest: Schema.String,
  kept: Schema.Array(Schema.String)
}) {
  readonly retryable = false
  override get message() {
    return `Could not take a sandbox of spec ${this.specDigest} from the pool: it keeps ${this.kept.join(", ")}.\nGive the pool these options, or use Sandboxes.make.`
  }
}

export type AcquireError = MakeError | StockError | PoolNotConfigured

export { PoolCircuitOpen, PoolClosed, PoolExhausted } from "./internal/poolState.ts"
export type PoolStats = StockStats

export class SandboxPool extends Context.Service<
  SandboxPool,
  {
    /** A sandbox that nobody has used, for this scope alone. Default: of the first stock. */
    readonly acquire: (spec?: SandboxOptions) => Effect.Effect<Sandbox, AcquireError, Scope.Scope>
    /** One entry for each stock, in the order of the options. */
    readonly stats: Effect.Effect<ReadonlyArray<PoolStats>>
  }
>()("@sbx/core/SandboxPool") {}

/** Begins to fill at once. Closing removes what is idle; what was taken lives as long as its taker's scope. */
export const layerWith = (
  options: PoolOptions | ReadonlyArray<PoolOptions>
): Layer.Layer<SandboxPool, InvalidPoolOptions | MakeError, Sandboxes> =>
  Layer.effect(
    SandboxPool,
    Effect.gen(function* () {
      const nursery = nurseryOf(yield* Sandboxes)
      if (nursery === undefined) return yield* invalid("sandboxes", "a double", "the service of Sandboxes.layerWith")
      const list: ReadonlyArray<PoolOptions> = "length" in options ? options : [options]
      const builders = yield* Semaphore.make(Math.max(1, nursery.cores))
      const stocks = new Map<string, Stock>()
      for (const [index, one] of list.entries()) {
        const settings = yield* settingsOf(nursery, one, `pools[${index}]`)
        if (stocks.has(settings.digest)) {
          return yield* invalid(`pools[${index}].spec`, settings.digest, "another spec than the other stocks")
        }
        stocks.set(settings.digest, yield* PoolStock.make(nursery, settings, builders))
      }
      const first = [...stocks.values()][0]
      if (first === undefined) return yield* invalid("pools", "empty", "at least one")
      yield* watch(nursery, [...stocks.values()])
      return SandboxPool.of({
        acquire: (spec) => (spec === undefined ? PoolStock.acquire(first) : acquire(nursery, stocks, spec)),
        stats: Effect.forEach([...stocks.values()], PoolStock.statsOf)
      })
    })
  )

const acquire = Effect.fn("SandboxPool.acquire")(function* (
  nursery: Nursery,
  stocks: ReadonlyMap<string, Stock>,
  options: SandboxOptions
): Effect.fn.Return<Sandbox, AcquireError, Scope.Scope> {
  const specDigest = digestOf(yield* nursery.resolve(options))
  const stock = stocks.get(specDigest)
  if (stock === undefined) return yield* new PoolNotConfigured({ specDigest, kept: [...stocks.keys()] })
  return yield* PoolStock.acquire(stock)
})

/** As the journal has it. */
const digestOf = (spec: unknown) => `sha256:${sha256(canonicalJson(spec))}`

const invalid = (field: string, value: string, expectation: string) =>
  new InvalidPoolOptions({ issues: [{ field, value, expectation }] })

const settingsOf = Effect.fnUntraced(function* (nursery: Nursery, options: PoolOptions, where: string) {
  const { min = 1, max = Math.max(1, min), onEmpty = "wait", whileOpen = "fail", breaker = {} } = options
  const ttlMillis = Duration.toMillis(options.ttl ?? "5 minutes")
  const cooldownMillis = Duration.toMillis(breaker.cooldown ?? "10 seconds")
  const failures = breaker.failures ?? 3
  const { limit } = nursery.admission
  const isCount = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most
  const issues = [
    { field: "min", value: min, ok: isCount(min, 0, limit), expectation: `a whole number from 0 to ${limit}` },
    { field: "max", value: max, ok: isCount(max, Math.max(1, min), limit), expectation: `from min to ${limit}` },
    { field: "ttl", value: ttlMillis, ok: ttlMillis > 0, expectation: "a duration above 0" },
    {
      field: "breaker.failures",
      value: failures,
      ok: isCount(failures, 1, 1e6),
      expectation: "a whole number above 0"
    },
    { field: "breaker.cooldown", value: cooldownMillis, ok: cooldownMillis > 0, expectation: "a duration above 0" }
  ].filter(({ ok }) => !ok)
  if (issues.length > 0) {
    return yield* new InvalidPoolOptions({
      issues: issues.map(({ field, value, expectation }) => ({
        field: `${where}.${field}`,
        value: String(value),
        expectation
      }))
    })
  }
  const spec = yield* nursery.resolve(options.spec ?? {})
  const policy = { failures, cooldownMillis }
  return { digest: digestOf(spec), spec, min, max, ttlMillis, onEmpty, whileOpen, policy }
})
