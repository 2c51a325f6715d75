/** Seeded randomness: sfc32, a small generator that passes PractRand. One seed and one name give one sequence, for ever. */

export interface Prng {
  /** From 0 inclusive to 1 exclusive, 32 random bits. */
  readonly next: () => number
  /** A whole number from 0 to `below` exclusive. */
  readonly below: (below: number) => number
}

/** Sequences of different names are independent, so a new draw in one place shifts no other. */
export const makePrng = (seed: number, name: string): Prng => {
  let a = hash32(name, 0x9e3779b9)
  let b = seed | 0
  let c = Math.floor(seed / 0x1_0000_0000) | 0
  let counter = 1
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 0x1_0000_0000
  }
  for (let i = 0; i < 12; i++) next()
  return { next, below: (below) => Math.floor(next() * below) }
}

/** FNV-1a over UTF-16 code units. */
export const hash32 = (text: string, basis: number): number => {
  let hash = basis | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
