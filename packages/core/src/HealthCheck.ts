/**
 * Health checks as data, and the pure judgement of what they saw: thresholds, and damping of what flaps. They look from inside
 * the sandbox or at the engine's figures of it. A look that could not be taken is neither a success nor a failure.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { isLength } from "./Recovery.ts"
import type { HealthStatus } from "./SandboxEvent.ts"
import type { Sandbox } from "./SandboxHandle.ts"

/** `unknown`: it could not be looked at, which says nothing about the sandbox. */
export type Level = "ok" | "warn" | "critical" | "unknown"

export interface Observation {
  readonly level: Level
  /** What was seen, for people. */
  readonly detail: string
}

/** Percent from which a resource is `warn` and `critical`. */
export interface Threshold {
  readonly warn: number
  readonly critical: number
}

export interface Thresholds {
  /** Of the sandbox's own limit of cores. */
  readonly cpu: Threshold
  /** Of its limit, without page cache that can go. */
  readonly memory: Threshold
  /** Of the workspace's bytes. */
  readonly disk: Threshold
}

export const thresholds: Thresholds = {
  cpu: { warn: 70, critical: 90 },
  memory: { warn: 80, critical: 95 },
  disk: { warn: 80, critical: 95 }
}

export type Probe =
  | { readonly _tag: "Command"; readonly argv: ReadonlyArray<string> }
  | { readonly _tag: "Port"; readonly port: number }
  | { readonly _tag: "Http"; readonly port: number; readonly path: string; readonly status: number }
  | { readonly _tag: "Resources"; readonly thresholds: Thresholds }
  | { readonly _tag: "Custom"; readonly look: (sandbox: Sandbox) => Effect.Effect<Observation> }

/** Runs inside and exits with 0. */
export const command = (argv: ReadonlyArray<string>): Probe => ({ _tag: "Command", argv })

/** Something listens on this TCP port inside. */
export const port = (number: number): Probe => ({ _tag: "Port", port: number })

/** As `Wait.http`: needs curl, python3 or nc in the image. */
export const http = (number: number, options: { readonly path?: string; readonly status?: number } = {}): Probe => ({
  _tag: "Http",
  port: number,
  path: options.path ?? "/",
  status: options.status ?? 200
})

export type Role = "liveness" | "readiness" | "resource" | "custom"

export interface Timing {
  /** From the end of one look to the next; looks never overlap. */
  readonly interval: Duration.Input
  /** A look that takes longer has failed; its processes inside are killed. */
  readonly timeout: Duration.Input
  /** After each start. */
  readonly initialDelay: Duration.Input
  /** Looks in a row that must be worse, before the status is. */
  readonly failureThreshold: number
  /** Looks in a row that must be better, before the status is. */
  readonly successThreshold: number
  /** Whether `unhealthy` is a failure for the policy to act on. Default: for liveness only. */
  readonly recover: boolean
}

export interface HealthCheck extends Timing {
  /** Unique within a supervision. */
  readonly name: string
  readonly role: Role
  readonly probe: Probe
}

/** Each 5 s, 2 s long at most; three failures are one too many, one success is enough. */
export const defaults: Omit<Timing, "recover"> = {
  interval: "5 seconds",
  timeout: "2 seconds",
  initialDelay: 0,
  failureThreshold: 3,
  successThreshold: 1
}

const make = (role: Role, name: string, probe: Probe, timing: Partial<Timing> = {}): HealthCheck => ({
  ...defaults,
  recover: role === "liveness",
  ...timing,
  role,
  name,
  probe
})

/** Whether it has to be restarted. */
export const liveness = (name: string, probe: Probe, timing?: Partial<Timing>) => make("liveness", name, probe, timing)

/** Whether it can be used; nothing is restarted for it. */
export const readiness = (name: string, probe: Probe, timing?: Partial<Timing>) =>
  make("readiness", name, probe, timing)

/** Use of processor, memory and disk against their limits; `degraded` from `warn` on, `unhealthy` from `critical` on. */
export const resources = (limits: Partial<Thresholds> = {}, timing?: Partial<Timing>) =>
  make("resource", "resources", { _tag: "Resources", thresholds: { ...thresholds, ...limits } }, timing)

/** Any look at all; it is interrupted at its timeout. A defect counts as `unknown`. */
export const custom = (
  name: string,
  look: (sandbox: Sandbox) => Effect.Effect<Observation>,
  timing?: Partial<Timing>
) => make("custom", name, { _tag: "Custom", look }, timing)

/** What is wrong with them, a sentence each. */
export const issuesOf = (checks: ReadonlyArray<HealthCheck>): ReadonlyArray<string> =>
  checks.flatMap((check, index) => [
    ...(check.name !== "" && checks.findIndex(({ name }) => name === check.name) === index
      ? []
      : [`check "${check.name}": its name is empty or taken`]),
    ...(["interval", "timeout"] as const)
      .filter((name) => !isLength(check[name], true))
      .map((name) => `check "${check.name}": ${name} is not longer than nothing`),
    ...(isLength(check.initialDelay, false) ? [] : [`check "${check.name}": initialDelay is no length of time`]),
    ...(["failureThreshold", "successThreshold"] as const)
      .filter((name) => !Number.isInteger(check[name]) || check[name] < 1)
      .map((name) => `check "${check.name}": ${name} is ${check[name]}, expected a whole number from 1`),
    ...(check.probe._tag === "Resources" ? thresholdIssues(check.name, check.probe.thresholds) : [])
  ])

const thresholdIssues = (name: string, limits: Thresholds) =>
  Object.entries(limits)
    .filter(([, { warn, critical }]) => !(warn > 0 && warn <= critical && critical <= 100))
    .map(
      ([what, { warn, critical }]) =>
        `check "${name}": ${what} warns at ${warn} and is critical at ${critical}, expected 0 < warn ≤ critical ≤ 100`
    )

/** Where one check stands. */
export interface Health {
  readonly status: HealthStatus
  /** Its result changes so often that a change needs {@link damping} times as many looks. */
  readonly flapping: boolean
  /** Looks in a row that point away from the status, and how far the least of them went. */
  readonly run: { readonly direction: "worse" | "better"; readonly looks: number; readonly target: number } | undefined
  /** Looks in a row that could not be taken. */
  readonly blind: number
  /** Of the newest {@link flapWindow} looks, whether each was good. */
  readonly recent: ReadonlyArray<boolean>
}

export const initial: Health = { status: "unknown", flapping: false, run: undefined, blind: 0, recent: [] }

/** Looks that flapping is judged by. It begins when half of them differ from the one before, and ends at a quarter. */
export const flapWindow = 20
const flapsFrom = flapWindow / 2
const flapsUntil = flapWindow / 4
/** How many times the thresholds count while it flaps. */
export const damping = 3

const ranks: Record<Exclude<Level, "unknown">, number> = { ok: 0, warn: 1, critical: 2 }
const statuses: ReadonlyArray<HealthStatus> = ["healthy", "degraded", "unhealthy"]

/** After one more look. */
export const next = (
  check: Pick<Timing, "failureThreshold" | "successThreshold">,
  health: Health,
  level: Level
): Health => {
  if (level === "unknown") {
    const blind = health.blind + 1
    return blind < check.failureThreshold
      ? { ...health, blind }
      : { ...health, blind, status: "unknown", run: undefined }
  }
  const rank = ranks[level]
  const recent = [...health.recent, rank === 0].slice(-flapWindow)
  const changes = recent.filter((good, index) => index > 0 && good !== recent[index - 1]).length
  const flapping = health.flapping ? changes > flapsUntil : changes >= flapsFrom
  const seen = { ...health, blind: 0, recent, flapping }
  const standing = statuses.indexOf(health.status)
  if (rank === standing) return { ...seen, run: undefined }
  // From `unknown`, good news is better and all else is worse.
  const direction = (standing === -1 ? rank > 0 : rank > standing) ? "worse" : "better"
  const same = health.run?.direction === direction ? health.run : { direction, looks: 0, target: rank }
  const target = direction === "worse" ? Math.min(same.target, rank) : Math.max(same.target, rank)
  const looks = same.looks + 1
  const threshold = direction === "worse" ? check.failureThreshold : check.successThreshold
  if (looks < threshold * (flapping ? damping : 1)) return { ...seen, run: { direction, looks, target } }
  return { ...seen, status: statuses[target] ?? health.status, run: undefined }
}

/** What people see of a check. */
export interface HealthReport {
  readonly role: Role
  readonly status: HealthStatus
  readonly flapping: boolean
  /** The newest look. */
  readonly detail: string
  /** `State.StartedAt` of the run it is about; absent before the first look. */
  readonly startedAtMillis: number | undefined
}
