/**
 * When a container is worth an alert: one metric against a threshold, with a hysteresis, a time it has to hold, a cooldown and
 * a choice of containers. Refuses a rule that could never fire or never resolve, and two rules of one name.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Comparison, Severity } from "./AlertEvent.ts"
import { ContainerMetric } from "./ContainerSampler.ts"

/** Which containers a rule is for. Names, ids and labels are compared exactly; labels must all be there. */
export const Selector = Schema.TaggedUnion({
  all: {},
  ids: { ids: Schema.Array(Schema.String) },
  names: { names: Schema.Array(Schema.String) },
  labels: { labels: Schema.Record(Schema.String, Schema.String) }
})
export type Selector = typeof Selector.Type

/** A container with its labels, where they are known: only then can a rule select by them. */
export interface AlertTarget extends ContainerTarget {
  readonly labels?: Readonly<Record<string, string>>
}

/** A rule as given. Only `name`, `metric` and `threshold` have no default. */
export interface AlertRuleOptions {
  /** 1-64 of `a-z`, `0-9`, `-`; part of the alert's identity over restarts. */
  readonly name: string
  readonly metric: ContainerMetric
  /** Default `>`: a value equal to the threshold does not breach. `>=`: it does. */
  readonly comparison?: Comparison
  /** In the metric's unit. */
  readonly threshold: number
  /**
   * The alert resolves at the first measured value that does not breach this level by the same comparison: for `>` a value at or below
   * it, for `>=` a value below it. Default: the threshold, which is no hysteresis. Never above the threshold, nor so low that 0 breaches
   * it: no metric is negative.
   */
  readonly resolveThreshold?: number
  /** Default `warning`. */
  readonly severity?: Severity
  /** How long every measured value has to breach before it fires. Default 0: at the first one. */
  readonly for?: Duration.Input
  /** How long after a resolve nothing fires again. Default 0. */
  readonly cooldown?: Duration.Input
  /** Default all. */
  readonly selector?: Selector
}

/** A rule with every default resolved. */
export interface AlertRule {
  readonly name: string
  readonly metric: ContainerMetric
  readonly comparison: Comparison
  readonly threshold: number
  readonly resolveThreshold: number
  readonly severity: Severity
  readonly forMillis: number
  readonly cooldownMillis: number
  readonly selector: Selector
}

/** What is wrong with a rule. */
export const RuleFault = Schema.Literals([
  "name",
  "duplicate-name",
  "metric",
  "comparison",
  "severity",
  "threshold",
  "resolve-threshold",
  "for",
  "cooldown",
  "selector"
])
export type RuleFault = typeof RuleFault.Type

/** The rule makes no sense. */
export class InvalidRule extends Schema.TaggedError<InvalidRule>()("InvalidRule", {
  rule: Schema.String,
  fault: RuleFault,
  detail: Schema.String
}) {
  override get message() {
    return `Could not accept the alert rule ${this.rule}: ${this.detail}.\n${remedies[this.fault]}`
  }
}

const remedies: Record<RuleFault, string> = {
  name: "Name it with 1 to 64 of a-z, 0-9 and -, beginning with a letter or digit.",
  "duplicate-name": "Give every rule its own name.",
  metric: "Choose one of ContainerMetric, e.g. memoryPercentOfLimit.",
  comparison: 'Give ">" or ">=".',
  severity: "Give info, warning or critical.",
  threshold: "Give a finite number in the metric's unit.",
  "resolve-threshold":
    "Give a finite number not above the threshold, which a metric can fall to: 0 or more for >, more than 0 for >=.",
  for: 'Give a finite duration that is not negative, e.g. "30 seconds".',
  cooldown: 'Give a finite duration that is not negative, e.g. "5 minutes".',
  selector: "Give all, or at least one id, name or label."
}

const DurationText = Schema.Union([Schema.DurationFromString, Schema.DurationFromMillis])

/** A rule as it comes from outside, e.g. a JSON file: durations are text, nothing is trusted. */
const Given = Schema.Struct({
  name: Schema.String,
  metric: Schema.String,
  comparison: Schema.optionalKey(Schema.String),
  threshold: Schema.Finite,
  resolveThreshold: Schema.optionalKey(Schema.Finite),
  severity: Schema.optionalKey(Schema.String),
  for: Schema.optionalKey(DurationText),
  cooldown: Schema.optionalKey(DurationText),
  selector: Schema.optionalKey(Selector)
})

const decodeGiven = Schema.decodeUnknownEffect(Schema.Array(Given), { onExcessProperty: "error" })

/** What both {@link AlertRuleOptions} and a decoded rule are. */
interface Unchecked extends Omit<typeof Given.Type, "for" | "cooldown"> {
  readonly for?: Duration.Input
  readonly cooldown?: Duration.Input
}

/** Checks a rule. */
export const make = (options: AlertRuleOptions): Effect.Effect<AlertRule, InvalidRule> =>
  Effect.fromResult(check(options))

/** Checks rules together: names are unique. */
export const makeAll = (rules: ReadonlyArray<AlertRuleOptions>): Effect.Effect<ReadonlyArray<AlertRule>, InvalidRule> =>
  checkAll(rules)

const checkAll = Effect.fnUntraced(function* (
  rules: ReadonlyArray<Unchecked>
): Effect.fn.Return<ReadonlyArray<AlertRule>, InvalidRule> {
  const names = new Set<string>()
  for (const { name } of rules) {
    if (names.has(name))
      return yield* new InvalidRule({ rule: name, fault: "duplicate-name", detail: "another rule has that name" })
    names.add(name)
  }
  return yield* Effect.forEach(rules, (rule) => Effect.fromResult(check(rule)))
})

/** Reads rules from parsed JSON: an array of {@link AlertRuleOptions} with durations as text or milliseconds. Refuses a misspelt option. */
export const decodeAll = Effect.fnUntraced(function* (
  json: unknown
): Effect.fn.Return<ReadonlyArray<AlertRule>, InvalidRule | Schema.SchemaError> {
  return yield* checkAll(yield* decodeGiven(json))
})

const refuse = (rule: string, fault: RuleFault, detail: string) =>
  Result.fail(new InvalidRule({ rule: rule === "" ? "without a name" : rule, fault, detail }))

const isMetric = Schema.is(ContainerMetric)
const isComparison = Schema.is(Comparison)
const isSeverity = Schema.is(Severity)

const namePattern = /^[a-z0-9][a-z0-9-]{0,63}$/

const check = (options: Unchecked): Result.Result<AlertRule, InvalidRule> => {
  const { name, metric, comparison = ">", threshold, severity = "warning", selector = { _tag: "all" } } = options
  const { resolveThreshold = threshold } = options
  if (!namePattern.test(name)) return refuse(name, "name", "its name has other characters, none or too many")
  if (!isMetric(metric)) return refuse(name, "metric", `there is no metric ${metric}`)
  if (!isComparison(comparison)) return refuse(name, "comparison", `${comparison} is not a comparison`)
  if (!isSeverity(severity)) return refuse(name, "severity", `${severity} is not a severity`)
  if (!Number.isFinite(threshold)) return refuse(name, "threshold", `its threshold is ${threshold}`)
  if (!Number.isFinite(resolveThreshold) || resolveThreshold > threshold)
    return refuse(name, "resolve-threshold", `it fires at ${threshold} and would resolve at ${resolveThreshold}`)
  if (breaches({ comparison }, 0, resolveThreshold))
    return refuse(
      name,
      "resolve-threshold",
      `no metric is below 0, and 0 would not resolve it (${comparison} ${resolveThreshold})`
    )
  const forMillis = millisOf(options.for ?? 0)
  if (forMillis === undefined) return refuse(name, "for", "the time to hold is negative, infinite or no duration")
  const cooldownMillis = millisOf(options.cooldown ?? 0)
  if (cooldownMillis === undefined) return refuse(name, "cooldown", "it is negative, infinite or no duration")
  if (selectsNothing(selector)) return refuse(name, "selector", "it selects no container")
  return Result.succeed({
    name,
    metric,
    comparison,
    threshold,
    resolveThreshold,
    severity,
    forMillis,
    cooldownMillis,
    selector
  })
}

/** `Duration` makes NaN zero, so a number is looked at first. */
const millisOf = (input: Duration.Input): number | undefined => {
  if (Number.isNaN(input)) return undefined
  const millis = Option.map(Duration.fromInput(input), Duration.toMillis)
  return Option.getOrUndefined(Option.filter(millis, (value) => Number.isFinite(value) && value >= 0))
}

const selectsNothing = (selector: Selector): boolean => {
  switch (selector._tag) {
    case "all":
      return false
    case "ids":
      return selector.ids.length === 0
    case "names":
      return selector.names.length === 0
    case "labels":
      return Object.keys(selector.labels).length === 0
  }
}

/** Whether the rule is for this container; `unknown` when it selects by labels and those of the container were not given. */
export const selects = ({ selector }: AlertRule, target: AlertTarget): boolean | "unknown" => {
  switch (selector._tag) {
    case "all":
      return true
    case "ids":
      return selector.ids.includes(target.containerId)
    case "names":
      return selector.names.includes(target.name)
    case "labels": {
      const { labels } = target
      if (labels === undefined) return "unknown"
      return Object.entries(selector.labels).every(([key, value]) => labels[key] === value)
    }
  }
}

/** Whether a value is beyond a level. */
export const breaches = ({ comparison }: Pick<AlertRule, "comparison">, value: number, level: number): boolean =>
  comparison === ">" ? value > level : value >= level

/**
 * What is worth an alert where nothing else was said: working set over 80 % of its limit (resolves at 75 %), and cpu over 90 % of its
 * quota for 10 s (resolves at 80 %). A container without the limit has no such metric, and so no alert.
 */
export const defaults: ReadonlyArray<AlertRuleOptions> = [
  { name: "memory-high", metric: "memoryPercentOfLimit", threshold: 80, resolveThreshold: 75 },
  { name: "cpu-high", metric: "cpuPercentOfLimit", threshold: 90, resolveThreshold: 80, for: "10 seconds" }
]
