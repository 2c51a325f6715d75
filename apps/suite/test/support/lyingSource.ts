/** Sources that lie about containers in one way each: what a scenario of the category `monitor` has to find out. */
import * as AutoSource from "@sbx/monitor/AutoSource"
import type { ContainerReading } from "@sbx/monitor/ContainerSampler"
import { ContainerSource } from "@sbx/monitor/ContainerSource"
import * as Monitor from "@sbx/monitor/Monitor"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

type Read = ContainerSource["Service"]["read"]

/** The clock goes on; every figure stays what it was at first. */
const frozen = (read: Read): Read => {
  const first = new Map<string, ContainerReading>()
  return (target, options) =>
    Effect.map(read(target, options), (now) => {
      const then = first.get(target.containerId) ?? now
      first.set(target.containerId, then)
      const { monotonicNanos } = now
      const stats = { ...then.stats, readAtMillis: now.stats.readAtMillis }
      return { ...then, stats, ...(monotonicNanos === undefined ? {} : { monotonicNanos }) }
    })
}

/** Says when, and nothing else. */
const mute =
  (read: Read): Read =>
  (target, options) =>
    Effect.map(read(target, options), (now) => ({
      ...now,
      stats: { ...now.stats, cpu: undefined, memory: undefined, pids: undefined },
      details: {}
    }))

/** Gives everybody the figures of whoever was read first. */
const crossed = (read: Read): Read => {
  let only: Parameters<Read>[0] | undefined
  return (target, options) => {
    only ??= target
    return read(only, options)
  }
}

/** Each reading has 1 MB more than is there. */
const creeping = (read: Read): Read => {
  let readings = 0
  return (target, options) =>
    Effect.map(read(target, options), (now) => {
      readings++
      const { memory } = now.stats
      const more = memory && { ...memory, usageBytes: (memory.usageBytes ?? 0) + readings * 1e6 }
      return { ...now, stats: { ...now.stats, memory: more } }
    })
}

/** While memory is at 70 to 80 % of its limit, every other reading says that none is in use, the first one always. */
const blinking = (read: Read): Read => {
  let seen = 0
  return (target, options) =>
    Effect.map(read(target, options), (now) => {
      const { memory } = now.stats
      const share = (memory?.usageBytes ?? Number.NaN) / (memory?.limitBytes ?? Number.NaN)
      seen = share > 0.7 && share < 0.8 ? seen + 1 : 0
      if (memory === undefined || seen % 2 === 0) return now
      return { ...now, stats: { ...now.stats, memory: { ...memory, usageBytes: 0, inactiveFileBytes: 0 } } }
    })
}

const lies = { frozen, mute, crossed, creeping, blinking }
export type Lie = keyof typeof lies

/** A monitor over a source that lies. Fresh, or it would be the one that is there. */
export const monitor = (lie: Lie) =>
  Layer.fresh(Monitor.layer).pipe(
    Layer.provide(
      Layer.effect(
        ContainerSource,
        Effect.map(ContainerSource, ({ read }) => ContainerSource.of({ read: lies[lie](read) }))
      ).pipe(Layer.provide(AutoSource.layer))
    )
  )
