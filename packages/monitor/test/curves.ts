/**
 * Seeded curves of memory in MB over operations: flat with noise, saw-teeth as a collector leaves them, warm-ups that level off, single
 * steps, noise that wanders; and the same with a leak. One seed, one curve.
 */
import type { LeakPoint } from "../src/LeakDetector.ts"

/** mulberry32, uniform in [0, 1). */
const uniform = (seed: number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** 400 readings, one every 10 operations and every second. */
const count = 400
const operationsBetween = 10
const total = count * operationsBetween

type Shape = (random: () => number) => (operations: number) => number

const between = (random: () => number, low: number, high: number) => low + (high - low) * random()

/** Box-Muller. */
const normal = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const flat: Shape = (random) => {
  const sigma = between(random, 0.2, 4)
  return () => 100 + sigma * normal(random)
}

/** Cycles of 1/60 to 1/8 of the run, 5 to 65 MB high, each of another length. */
const sawTooth: Shape = (random) => {
  const height = between(random, 5, 65)
  const period = between(random, total / 60, total / 8)
  const sigma = between(random, 0.2, 2)
  let value = height * random()
  return () => {
    value += (height / period) * operationsBetween * between(random, 0.7, 1.3)
    if (value > height) value = height * 0.1 * random()
    return 100 + value + sigma * normal(random)
  }
}

/** Levels off 10 to 100 MB higher, with a time constant of 1/50 to 1/6 of the run. */
const warmUp: Shape = (random) => {
  const height = between(random, 10, 100)
  const constant = between(random, total / 50, total / 6)
  const sigma = between(random, 0.2, 3)
  return (operations) => 100 + height * (1 - Math.exp(-operations / constant)) + sigma * normal(random)
}

/** Once 10 to 50 MB higher, at some time after the warm-up: a cache that was filled, not a leak. */
const step: Shape = (random) => {
  const height = between(random, 10, 50)
  const at = total * between(random, 0.35, 0.95)
  const sigma = between(random, 0.2, 3)
  return (operations) => 100 + (operations > at ? height : 0) + sigma * normal(random)
}

/** Noise with a memory of 5 to 100 readings (AR(1)): wanders for long. */
const wander: Shape = (random) => {
  const sigma = between(random, 0.2, 2)
  const memory = between(random, 0.8, 0.99)
  let value = 0
  return () => {
    value = memory * value + sigma * normal(random)
    return 100 + value
  }
}

export const shapes = { flat, sawTooth, warmUp, step, wander }

/** The curve of a seed, with a leak of so many MB per 1,000 operations on top. */
export const curve = (shape: Shape, seed: number, leak = 0): ReadonlyArray<LeakPoint> => {
  const at = shape(uniform(seed))
  return Array.from({ length: count }, (_, index) => {
    const operations = index * operationsBetween
    return { operations, atMillis: index * 1000, value: at(operations) + (leak * operations) / 1000 }
  })
}
