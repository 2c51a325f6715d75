/** Two sandboxes over one window, by the monitor, between two looks of the kernel's at each. */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import * as Scenario from "@sbx/core/Scenario"
import type { ContainerSample } from "@sbx/monitor/ContainerSampler"
import { Monitor } from "@sbx/monitor/Monitor"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as KernelView from "./kernelView.ts"

export interface Seen {
  readonly sample: ContainerSample
  readonly before: KernelView.KernelView
  readonly after: KernelView.KernelView
  /** Of the kernel's, from before to after: a longer time than the sample's, with the looks' own cpu in it. */
  readonly cores: number
}

export interface Observed {
  readonly a: Seen
  readonly b: Seen
}

const together = { concurrency: "unbounded" } as const

/** The looks are over before the sampling begins, and begin after it: they do not show in it. */
export const observe = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox, window: Duration.Input) {
  const monitor = yield* Monitor
  const looks = Effect.all([KernelView.read(a), KernelView.read(b)], together)
  const before = yield* looks
  const samples = yield* Effect.all([monitor.sample(a, { window }), monitor.sample(b, { window })], together)
  const after = yield* looks
  const seen = (index: 0 | 1): Seen => ({
    sample: samples[index],
    before: before[index],
    after: after[index],
    cores: KernelView.cores(before[index], after[index])
  })
  return { a: seen(0), b: seen(1) } satisfies Observed
})

/** Of the 20 and more periods of 100 ms in 2 seconds; a loop that has its quota is held back in nearly all. */
const leastThrottled = 18

/**
 * Whether a busy loop got what it may have, by the kernel. Where it did not and its quota was not the reason, the host had no cpu to
 * give: that is recorded as unknown.
 */
export const hasItsQuota = Effect.fnUntraced(function* ({ after, before, cores }: Seen, quota: number) {
  const held = after.throttledPeriods - before.throttledPeriods
  if (cores >= quota * 0.85 || held >= leastThrottled) return true
  const { unknown } = yield* Scenario.ScenarioContext
  const got = `${cores.toFixed(2)} of ${quota} cores`
  yield* unknown(`the host is too busy: by the kernel the loop got ${got} and was held back in ${held} periods only`)
  return false
})
