/**
 * What everything in this package is generated from: a seed, and the path of names under it.
 * A number and its decimal text are the same seed, so a seed printed by one run replays from a command line.
 */
import { hasher } from "./internal/sha256.ts"

/** Any text, or any number (used as its decimal text: `7` and `"7"` are one seed). */
export type Seed = string | number

/**
 * 128 bits for a generator: the head of SHA-256 over the seed and the path of names, each preceded by its byte
 * length, so that `("a", "b")` and `("ab")` differ. Paths under one seed give unrelated values.
 */
export const words = (seed: Seed, path: ReadonlyArray<string> = []): readonly [number, number, number, number] => {
  const hash = hasher()
  const encoder = new TextEncoder()
  for (const part of [String(seed), ...path]) {
    const bytes = encoder.encode(part)
    hash.update(encoder.encode(`${bytes.length}:`))
    hash.update(bytes)
  }
  const view = new DataView(hash.digest().buffer)
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]
}
