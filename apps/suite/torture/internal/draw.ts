/** Numbers drawn from seed and round alone (Mulberry32): the same pair, the same numbers, on any machine. */

/** Yields from 0 (inclusive) to 1 (exclusive). */
export const drawing = (seed: number, round: number): (() => number) => {
  let state = (seed ^ Math.imul(round + 1, 0x9e3779b1)) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
