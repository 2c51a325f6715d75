/**
 * A unix socket in front of an engine that does to chosen calls what networks, overload and restarts do to them: latency, error
 * statuses, resets, half-answers and hangs. Everything else goes through byte by byte. A test tool: it refuses to guess routes,
 * and counts a fault only when it was done.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { EngineEndpoint } from "../Engine.ts"
import type { AnswerPoint } from "../internal/faultProxy/answerGate.ts"
import type { Running } from "../internal/faultProxy/listen.ts"
import { listen, upstreamOf } from "../internal/faultProxy/listen.ts"
import type { Misdeed, Order, Tunnel } from "../internal/faultProxy/tunnel.ts"

/**
 * Where in an exchange: `request`, before the engine sees it; `reply`, when the engine has answered and the client has seen nothing
 * (the effect is there, its reply is lost); or in the middle of the answer's head, of its body, or of a frame of a hijacked stream.
 */
export type FaultPoint = "request" | AnswerPoint

/** `reset` in the middle of an answer is a half-answer; `hang` there is one that never ends. A `status` needs an answer not begun. */
export type Fault =
  | { readonly kind: "latency"; readonly delay: Duration.Input; readonly at?: FaultPoint }
  | { readonly kind: "status"; readonly status: number; readonly message?: string; readonly at?: "request" | "reply" }
  | { readonly kind: "reset"; readonly at?: FaultPoint }
  | { readonly kind: "hang"; readonly at?: FaultPoint }

/** Calls are counted from 1 and by rule; `probability` is drawn per call from the seed, so the same calls meet the same fate. */
export type Chosen =
  | "all"
  | { readonly nth: number }
  | { readonly first: number }
  | { readonly probability: number; readonly seed: number }

export interface Rule {
  /** `GET`, `POST` … or `*`. */
  readonly method: string
  /**
   * A path without query; `*` is one segment, `**` any rest. The API version in front of a request's path does not count, unless
   * the pattern names one (`/v1.41/info`).
   */
  readonly path: string
  readonly calls: Chosen
  /** Where absent, `at` is `request`. */
  readonly fault: Fault
}

export interface Injection {
  /** Calls of the rule's route since the rule was given. */
  readonly matched: Effect.Effect<number>
  /** Faults done. A chosen call whose answer lacks the point (no body, no frame) is none. */
  readonly injected: Effect.Effect<number>
}

/** A rule that could never do what it says. `field` and `found` say which part. */
export class InvalidFaultRule extends Schema.TaggedError<InvalidFaultRule>()("InvalidFaultRule", {
  field: Schema.String,
  found: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `Could not inject the fault: ${this.field} is ${this.found}.\nIt has to be ${this.expected}.`
  }
}

/** The socket could not be made, or the engine's address is none. */
export class FaultProxyFailed extends Schema.TaggedError<FaultProxyFailed>()("FaultProxyFailed", {
  address: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not put a proxy at ${this.address}: ${this.detail}.\nUse unix:///path or tcp://host:port, and a socket path below 108 bytes that nobody has.`
  }
}

export interface FaultProxyShape {
  /** For `Docker.layer`. */
  readonly endpoint: EngineEndpoint
  /** The rule holds until the scope closes; connections that it hangs are closed then. Of several, the first that strikes counts. */
  readonly inject: (rule: Rule) => Effect.Effect<Injection, InvalidFaultRule, Scope.Scope>
  /** Requests of a route since the proxy started, whatever became of them. */
  readonly requests: (method: string, path: string) => Effect.Effect<number>
}

/** The proxy in front of an engine. */
export class FaultProxy extends Context.Service<FaultProxy, FaultProxyShape>()("@sbx/engine/testing/FaultProxy") {}

export interface FaultProxyOptions {
  /** The engine's address, `unix:///path` or `tcp://host:port`. */
  readonly upstream: string
  /** Absolute; its folder exists. Default: a new folder for temporary files, removed with the proxy. */
  readonly socketPath?: string
}

const escape = (text: string) => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")

/** Whether a request is on a route. */
const router = (method: string, pattern: string) => {
  const source = pattern
    .split("/")
    .map((segment) => (segment === "**" ? ".*" : segment === "*" ? "[^/]+" : escape(segment)))
    .join("/")
  const path = new RegExp(`^${source}$`)
  const versioned = /^\/v\d+\.\d+\//.test(pattern)
  return (seen: Seen) =>
    (method === "*" || method.toUpperCase() === seen.method) && path.test(versioned ? seen.path : seen.bare)
}

interface Seen {
  readonly method: string
  readonly path: string
  /** Without API version. */
  readonly bare: string
}

const toSeen = (method: string, target: string): Seen => {
  const path = target.split("?")[0] ?? ""
  return { method: method.toUpperCase(), path, bare: path.replace(/^\/v\d+\.\d+(?=\/)/, "") }
}

/** One rule at work. */
class ActiveRule {
  matched = 0
  injected = 0
  readonly struck = new Set<Tunnel>()
  readonly covers: (seen: Seen) => boolean
  private readonly chosen: () => boolean
  private readonly order: Order
  constructor(rule: Rule, draw: () => number) {
    this.covers = router(rule.method, rule.path)
    this.chosen = () => isChosen(rule.calls, this.matched, draw)
    this.order = {
      at: rule.fault.at ?? "request",
      misdeed: toMisdeed(rule.fault),
      struck: (tunnel) => {
        this.injected++
        if (rule.fault.kind === "hang") this.struck.add(tunnel)
      }
    }
  }
  judge(seen: Seen): Order | undefined {
    if (!this.covers(seen)) return undefined
    this.matched++
    return this.chosen() ? this.order : undefined
  }
}

const isChosen = (calls: Chosen, call: number, draw: () => number): boolean => {
  if (calls === "all") return true
  if ("nth" in calls) return call === calls.nth
  if ("first" in calls) return call <= calls.first
  return draw() < calls.probability
}

const toMisdeed = (fault: Fault): Misdeed => {
  if (fault.kind === "latency") return { kind: "latency", millis: Duration.toMillis(fault.delay) }
  if (fault.kind === "status") {
    return { kind: "status", status: fault.status, message: fault.message ?? "injected by the fault proxy" }
  }
  return { kind: fault.kind }
}

interface Demand {
  readonly field: string
  readonly found: unknown
  readonly holds: boolean
  readonly expected: string
}

const countDemand = (field: string, found: number): Demand => {
  const holds = Number.isSafeInteger(found) && found >= 1
  return { field, found, holds, expected: "a whole number from 1" }
}

const demandsOnCalls = (calls: Chosen): ReadonlyArray<Demand> => {
  if (calls === "all") return []
  if ("nth" in calls) return [countDemand("calls.nth", calls.nth)]
  if ("first" in calls) return [countDemand("calls.first", calls.first)]
  const holds = calls.probability > 0 && calls.probability <= 1
  return [{ field: "calls.probability", found: calls.probability, holds, expected: "above 0 and at most 1" }]
}

const demands = ({ method, path, calls, fault }: Rule): ReadonlyArray<Demand> => [
  { field: "method", found: method, holds: /^(?:\*|[A-Za-z]+)$/.test(method), expected: "an HTTP method or *" },
  { field: "path", found: path, holds: /^\/[^?#]*$/.test(path), expected: "a path from / without query" },
  ...demandsOnCalls(calls),
  ...(fault.kind === "status"
    ? [
        {
          field: "fault.status",
          found: fault.status,
          holds: Number.isInteger(fault.status) && fault.status >= 400 && fault.status <= 599,
          expected: "a status from 400 to 599"
        }
      ]
    : [])
]

const check = (rule: Rule): Effect.Effect<void, InvalidFaultRule> => {
  const broken = demands(rule).find(({ holds }) => !holds)
  return broken === undefined
    ? Effect.void
    : Effect.fail(new InvalidFaultRule({ field: broken.field, found: String(broken.found), expected: broken.expected }))
}

/** The generator behind a seed, to be asked when a call comes. */
const draws = (calls: Chosen): Effect.Effect<() => number> =>
  typeof calls === "object" && "seed" in calls
    ? Effect.map(Random.Random, (random) => () => random.nextDoubleUnsafe()).pipe(Random.withSeed(calls.seed))
    : Effect.succeed(() => 1)

const injectWith = (rules: Set<ActiveRule>) =>
  Effect.fnUntraced(function* (rule: Rule) {
    yield* check(rule)
    const draw = yield* draws(rule.calls)
    const active = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made = new ActiveRule(rule, draw)
        rules.add(made)
        return made
      }),
      (made) =>
        Effect.sync(() => {
          rules.delete(made)
          for (const tunnel of made.struck) tunnel.destroy()
        })
    )
    return { matched: Effect.sync(() => active.matched), injected: Effect.sync(() => active.injected) }
  })

/** Listens until the scope closes; then every connection through it is closed. Latency is measured on the clock of the caller. */
export const make = Effect.fn("FaultProxy.make")(function* (
  options: FaultProxyOptions
): Effect.fn.Return<FaultProxyShape, FaultProxyFailed, Scope.Scope> {
  const rules = new Set<ActiveRule>()
  const counts = new Map<string, { readonly seen: Seen; count: number }>()
  const context = yield* Effect.context<never>()
  const sleepers = new Set<Fiber.Fiber<void>>()
  const failed = (detail: string) => new FaultProxyFailed({ address: options.socketPath ?? options.upstream, detail })
  const upstream = upstreamOf(options.upstream)
  if (upstream === undefined) return yield* failed("the engine's address is not of the form unix:// or tcp://")
  const running: Running = yield* Effect.acquireRelease(
    Effect.mapError(
      listen(upstream, options.socketPath, {
        judge: (method, target) => {
          const seen = toSeen(method, target)
          const key = `${seen.method} ${seen.path}`
          const entry = counts.get(key) ?? { seen, count: 0 }
          counts.set(key, entry)
          entry.count++
          // Every rule of the route counts the call; the first that chose it is obeyed.
          return [...rules].map((rule) => rule.judge(seen)).find((order) => order !== undefined)
        },
        later: (millis, then) => {
          const fiber = Effect.runForkWith(context)(Effect.andThen(Effect.sleep(millis), Effect.sync(then)))
          sleepers.add(fiber)
          fiber.addObserver(() => sleepers.delete(fiber))
        }
      }),
      failed
    ),
    ({ close }) => Effect.andThen(Effect.sync(close), Fiber.interruptAll([...sleepers]))
  )
  return {
    endpoint: { kind: "explicit", address: `unix://${running.socketPath}` },
    inject: injectWith(rules),
    requests: (method, path) =>
      Effect.sync(() => {
        const covers = router(method, path)
        return [...counts.values()].reduce((sum, { seen, count }) => sum + (covers(seen) ? count : 0), 0)
      })
  }
})

/** A proxy for as long as the layer lives. */
export const layerWith = (options: FaultProxyOptions): Layer.Layer<FaultProxy, FaultProxyFailed> =>
  Layer.effect(FaultProxy, make(options))
