import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Bytes from "effect/Bytes"
import type * as ByteSize from "effect/ByteSize"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Checksum from "../src/Checksum.ts"
import * as SeededBytes from "../src/SeededBytes.ts"
import { chiSquare, isUniform } from "./chiSquare.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** Memory the collector may be behind with; a tenth of the gigabyte, and half of what is kept in the negative twin. */
const slack = 64_000_000

const longOnesLeftOut = Config.Boolean("SKIP_LONG_RUNNING_TESTS").pipe(Config.withDefault(false))

const used = () => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Streams in chunks of 1 MiB: bytes seen, and by how much heap and buffers grew at their peak. */
const streamed = Effect.fnUntraced(function* (size: ByteSize.Input, visit: (chunk: Uint8Array) => void) {
  let [count, peak, seen] = [0, 0, 0]
  const before = used()
  yield* SeededBytes.stream("memory", size, "1 MiB").pipe(
    Stream.runForEach((chunk) =>
      Effect.sync(() => {
        count += chunk.length
        visit(chunk)
        if (seen++ % 4 === 0) peak = Math.max(peak, used())
      })
    )
  )
  return { count, growth: peak - before }
})

describe("SeededBytes", () => {
  it.effect("gives the same bytes for a seed for ever", () =>
    Effect.gen(function* () {
      const bytes = yield* SeededBytes.bytes("golden", 1024)
      assert.deepStrictEqual([...bytes.subarray(0, 8)], GOLDEN_HEAD)
      assert.strictEqual(Checksum.ofBytes(bytes), GOLDEN)
    })
  )

  it.effect("gives unrelated bytes for neighbouring seeds", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* SeededBytes.bytes(1, 65536), yield* SeededBytes.bytes(2, 65536)]
      const equal = a.filter((byte, index) => byte === b[index]).length
      // Binomial(65536, 1/256): mean 256, standard deviation 16; six of them either way.
      assert.isAbove(equal, 160)
      assert.isBelow(equal, 352)
    })
  )

  it.effect.prop(
    "cuts the same bytes at any chunk size",
    { seed: Schema.String, size: int(0, 5000), chunk: int(1, 700) },
    ({ seed, size, chunk }) =>
      Effect.gen(function* () {
        const chunks = yield* Stream.runCollect(SeededBytes.stream(seed, size, chunk))
        assert.deepStrictEqual(Bytes.concat(chunks), yield* SeededBytes.bytes(seed, size))
        assert.isTrue(chunks.slice(0, -1).every((part) => part.length === chunk))
      })
  )

  it.effect.prop("gives a prefix for a shorter request", { size: int(0, 3000), more: int(0, 3000) }, ({ size, more }) =>
    Effect.gen(function* () {
      const long = yield* SeededBytes.bytes("prefix", size + more)
      assert.deepStrictEqual(long.slice(0, size), yield* SeededBytes.bytes("prefix", size))
    })
  )

  it.effect("replays when the same stream is run twice", () =>
    Effect.gen(function* () {
      const stream = SeededBytes.stream("again", "1 MB")
      assert.strictEqual(yield* Checksum.ofStream(stream), yield* Checksum.ofStream(stream))
    })
  )

  it.effect("passes the chi-square test for ten seeds", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 10; seed++) {
        const bytes = yield* SeededBytes.bytes(seed, "1 MiB")
        assert.isTrue(isUniform([bytes]), `seed ${seed}: chi-square ${chiSquare([bytes])}`)
      }
    })
  )

  it.effect("fails the chi-square test when biased by half a percent, or perfectly even", () =>
    Effect.gen(function* () {
      const fair = yield* SeededBytes.bytes("biased", "1 MiB")
      const biased = fair.map((byte, index) => (index % 200 === 0 ? 0 : byte))
      assert.isFalse(isUniform([biased]))
      assert.isFalse(isUniform([fair.map((byte) => byte & 0xfe)]))
      assert.isFalse(isUniform([fair.map((_, index) => index)]))
    })
  )

  it.effect("streams 256 MB in constant memory", () =>
    Effect.gen(function* () {
      const { count, growth } = yield* streamed("256 MB", () => {})
      assert.strictEqual(count, 256_000_000)
      assert.isBelow(growth, slack)
    })
  )

  it.effect("fails the memory bound when the chunks of 128 MB are kept", () =>
    Effect.gen(function* () {
      const kept: Array<Uint8Array> = []
      const { growth } = yield* streamed("128 MB", (chunk) => kept.push(chunk))
      assert.isAbove(growth, slack)
      assert.strictEqual(kept.length, 123)
    })
  )

  it("streams one gigabyte in constant memory", async (context) => {
    if (await Effect.runPromise(longOnesLeftOut)) {
      const reason = "it takes 10 seconds and SKIP_LONG_RUNNING_TESTS is true"
      console.warn(`skipped "streams one gigabyte in constant memory": ${reason}`)
      context.skip(reason)
    }
    const { count, growth } = await Effect.runPromise(streamed("1 GB", () => {}))
    assert.strictEqual(count, 1_000_000_000)
    assert.isBelow(growth, slack)
  }, 60_000)

  for (const size of [-1, 1.5, Number.NaN, "2 GiB"] as const) {
    it.effect(`refuses ${size} as the size of a buffer`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(SeededBytes.bytes("s", size))
        assert.strictEqual(error._tag, "InvalidSize")
        assert.include(error.message, `the size is ${size}.\nGive a whole number of bytes from 0`)
      })
    )
  }

  it.effect("refuses chunks of no bytes before the first chunk", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(SeededBytes.stream("s", 10, 0)))
      assert.strictEqual(error.size, "0")
    })
  )
})

// Computed from the definition in Python (hashlib, struct), not with this code.
const GOLDEN_HEAD = [201, 83, 249, 3, 88, 70, 131, 37]
const GOLDEN = "968c6f3bf5e09c9abf88b7f40c05d427d3fda7bb9b3cc4875af19ff1708544b5"
