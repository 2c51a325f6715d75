/**
 * Deterministic random numbers: xoshiro128** 1.1 (Blackman and Vigna, 2018, prng.di.unimi.it/xoshiro128starstar.c),
 * seeded by `Seed.words`. Effect's own seeded `Random` promises no sequence across its releases; datasets and golden
 * bytes need one that never changes. Not for secrets.
 */
import * as Seed from "./Seed.ts"

/** Four 32-bit words, not all zero. */
export type State = readonly [number, number, number, number]

/** One sequence. Every call advances it; two made from the same seed and path give the same values. */
export interface SeededRandom {
  /** Integer in [0, 2^32). */
  readonly uint32: () => number
  /** 53-bit fraction in [0, 1). */
  readonly fraction: () => number
  /** Integer in [min, max], both included, without modulo bias. Dies on an empty range or one of 2^53 values and more. */
  readonly integer: (min: number, max: number) => number
  /** One element, each equally likely. Dies on an empty list. */
  readonly choice: <A>(values: ReadonlyArray<A>) => A
  /** A permuted copy (Fisher–Yates). */
  readonly shuffle: <A>(values: ReadonlyArray<A>) => Array<A>
  /** The sequence called `name` under this one; unaffected by, and without effect on, what is drawn here. */
  readonly stream: (name: string) => SeededRandom
}

/** The sequence of `seed` under a path of names; `make(s, "a", "b")` is `make(s).stream("a").stream("b")`. */
export const make = (seed: Seed.Seed, ...path: ReadonlyArray<string>): SeededRandom => {
  const uint32 = generator(Seed.words(seed, path))
  const fraction = (): number => {
    const high = uint32() >>> 11
    return (high * 2 ** 32 + uint32()) / 2 ** 53
  }
  const integer = (min: number, max: number): number => min + below(uint32, max - min + 1)
  return {
    uint32,
    fraction,
    integer,
    choice: (values) => pick(values, integer(0, values.length - 1)),
    shuffle: (values) => {
      const out = [...values]
      for (let i = out.length - 1; i > 0; i--) {
        const j = integer(0, i)
        ;[out[i], out[j]] = [pick(out, j), pick(out, i)]
      }
      return out
    },
    stream: (name) => make(seed, ...path, name)
  }
}

/** The bare generator over an explicit state: successive integers in [0, 2^32). */
export const generator = (state: State): (() => number) => {
  let [a, b, c, d] = state
  // The all-zero state is the generator's one fixed point.
  if ((a | b | c | d) === 0) throw new RangeError("Could not start xoshiro128**: the state is all zero.")
  return () => {
    const scaled = Math.imul(b, 5)
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
    return result
  }
}

/** Uniform in [0, count): draws beyond the last whole multiple of `count` are rejected, not folded back. */
function below(uint32: () => number, count: number): number {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`Could not draw an integer: the range holds ${count} values.`)
  }
  const wide = count > 2 ** 32
  const span = wide ? 2 ** 53 : 2 ** 32
  const limit = span - (span % count)
  for (;;) {
    const draw = wide ? (uint32() >>> 11) * 2 ** 32 + uint32() : uint32()
    if (draw < limit) return draw % count
  }
}

function pick<A>(values: ReadonlyArray<A>, index: number): A {
  for (const value of values.slice(index, index + 1)) return value
  throw new RangeError("Could not choose: the list is empty.")
}
