/** What a simulated process sees of the outside, as Effect's own references: scheduler, clock, randomness, silence. */
import type { Duration } from "effect"
import { Clock, Context, Effect, Logger, Random, References, Scheduler } from "effect"
import * as Durations from "effect/Duration"
import type { Kernel, Lane } from "./kernel.ts"
import { makePrng } from "./prng.ts"

/** The process that a fiber belongs to; absent outside of a simulation. */
export const CurrentLane: Context.Reference<Lane | undefined> = Context.Reference<Lane | undefined>(
  "@sbx/sim/CurrentLane",
  { defaultValue: () => undefined }
)

/** 2026-01-01T00:00:00Z: any moment would do, as long as it is always the same. */
const epochMillis = 1_767_225_600_000

export type Log = (line: string) => void

/** The context for the fibers of a process. Its randomness is its own, so another process's draws do not shift it. */
export const contextOf = (kernel: Kernel, lane: Lane, log: Log | undefined): Context.Context<never> =>
  Context.empty().pipe(
    Context.add(Scheduler.Scheduler, kernel.schedulerOf(lane)),
    Context.add(Clock.Clock, makeClock(kernel, lane)),
    Context.add(Random.Random, makeRandom(kernel.seed, lane)),
    Context.add(References.TracerEnabled, false),
    Context.add(References.CurrentLoggers, new Set(log === undefined ? [] : [makeLogger(kernel, lane, log)])),
    Context.add(References.MinimumLogLevel, log === undefined ? "None" : "Debug"),
    Context.add(CurrentLane, lane)
  )

const makeLogger = (kernel: Kernel, lane: Lane, log: Log) =>
  Logger.map(Logger.formatSimple, (line) => log(`${kernel.nowMillis} ${lane.name}: ${line}`))

const makeRandom = (seed: number, lane: Lane): typeof Random.Random.Service => {
  const prng = makePrng(seed, `process ${lane.number} ${lane.name}`)
  const span = Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER
  return {
    nextDoubleUnsafe: prng.next,
    nextIntUnsafe: () => Number.MIN_SAFE_INTEGER + Math.floor(prng.next() * span)
  }
}

const makeClock = (kernel: Kernel, lane: Lane): Clock.Clock => {
  const millis = () => Math.floor(epochMillis + kernel.nowMillis)
  const monotonic = () => BigInt(Math.round(kernel.nowMillis * 1e6))
  const wall = () => BigInt(epochMillis) * 1_000_000n + monotonic()
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: wall,
    currentTimeNanos: Effect.sync(wall),
    monotonicTimeNanosUnsafe: monotonic,
    monotonicTimeNanos: Effect.sync(monotonic),
    sleep: (duration) => sleep(kernel, lane, duration)
  }
}

const sleep = (kernel: Kernel, lane: Lane, duration: Duration.Duration): Effect.Effect<void> => {
  const millis = Durations.toMillis(duration)
  if (millis <= 0) return Effect.yieldNow
  if (!Number.isFinite(millis)) return Effect.never
  return Effect.callback<void>((resume) => {
    const cancel = kernel.after(lane, millis, () => resume(Effect.void))
    return Effect.sync(cancel)
  })
}
