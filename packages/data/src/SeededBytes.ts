/**
 * Seeded bytes of any size, whole or streamed in constant memory. The bytes depend on seed and position only:
 * chunk size never changes them, and a shorter request is a prefix of a longer one.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Seed from "./Seed.ts"
import { generator } from "./SeededRandom.ts"

/** Largest size held in one buffer, in bytes (1 GiB); `stream` goes on to 2^53. */
export const maxBuffered = 2 ** 30

const defaultChunk = 64 * 1024

/** A size or chunk size that is negative, fractional, not a size, or too large for what was asked. */
export class InvalidSize extends Schema.TaggedError<InvalidSize>()("InvalidSize", {
  size: Schema.String,
  expectation: Schema.String
}) {
  override get message() {
    return `Could not generate bytes: the size is ${this.size}.\nGive ${this.expectation}.`
  }
}

/** `size` bytes in one buffer, from 0 B to 1 GiB. Sizes are counts (`1024`) or texts (`"10 MB"`). */
export const bytes = (seed: Seed.Seed, size: ByteSize.Input): Effect.Effect<Uint8Array, InvalidSize> =>
  Effect.map(length(size, 0, maxBuffered), (count) => source(seed)(count))

/**
 * The same bytes as `bytes`, in chunks of `chunkSize` (64 KiB unless told; the last may be shorter).
 * Each chunk is a buffer of its own, safe to keep. Fails with `InvalidSize` before the first chunk.
 */
export const stream = (
  seed: Seed.Seed,
  size: ByteSize.Input,
  chunkSize: ByteSize.Input = defaultChunk
): Stream.Stream<Uint8Array, InvalidSize> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const total = yield* length(size, 0, Number.MAX_SAFE_INTEGER)
      const chunk = yield* length(chunkSize, 1, maxBuffered)
      return chunks(seed, total, chunk)
    })
  )

function chunks(seed: Seed.Seed, total: number, chunk: number): Stream.Stream<Uint8Array> {
  return Stream.suspend(() => {
    const next = source(seed)
    return Stream.unfold(total, (left) =>
      Effect.sync(() => {
        if (left === 0) return undefined
        const part = next(Math.min(left, chunk))
        return [part, left - part.length] as const
      })
    )
  })
}

/** Hands out the sequence piece by piece: generator words, least significant byte first. */
function source(seed: Seed.Seed): (count: number) => Uint8Array {
  const uint32 = generator(Seed.words(seed, ["SeededBytes"]))
  let word = 0
  let left = 0
  return (count) => {
    const out = new Uint8Array(count)
    let i = 0
    while (i < count) {
      if (left === 0) {
        word = uint32()
        left = 4
      }
      if (left === 4 && count - i >= 4) {
        out[i] = word
        out[i + 1] = word >>> 8
        out[i + 2] = word >>> 16
        out[i + 3] = word >>> 24
        i += 4
        left = 0
        continue
      }
      out[i++] = word
      word >>>= 8
      left--
    }
    return out
  }
}

function length(size: ByteSize.Input, least: number, most: number): Effect.Effect<number, InvalidSize> {
  const count = Option.flatMap(ByteSize.fromInput(size), ByteSize.toNumber)
  if (Option.isSome(count) && count.value >= least && count.value <= most) {
    return Effect.succeed(count.value)
  }
  const expectation = `a whole number of bytes from ${least} to ${most}, such as 1024 or "10 MB"`
  return Effect.fail(new InvalidSize({ size: String(size), expectation }))
}
