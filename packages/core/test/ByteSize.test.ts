import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ByteSize from "../src/ByteSize.ts"
import * as CpuLimit from "../src/CpuLimit.ts"

const good: ReadonlyArray<readonly [ByteSize.ByteSizeInput, number]> = [
  ["0", 0],
  ["4096", 4096],
  ["12B", 12],
  ["1K", 1024],
  ["64Ki", 65_536],
  ["256M", 268_435_456],
  ["256m", 268_435_456],
  ["1GiB", 1_073_741_824],
  ["2T", 2_199_023_255_552],
  [1024, 1024]
]

const bad: ReadonlyArray<ByteSize.ByteSizeInput> = [
  "",
  "M",
  "-1",
  "+1",
  "1.5G",
  "1 G",
  " 1G",
  "1G ",
  "256MB",
  "1X",
  "0x10",
  "1e9",
  "1Gi i",
  "9999999999999999T",
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53
]

describe("sizes", () => {
  it.each(good)("reads %s as %d bytes", (input, bytes) => {
    assert.deepStrictEqual(ByteSize.parse(input), Result.succeed(bytes))
  })

  it.each(bad)("refuses %j", (input) => {
    assert.deepStrictEqual(ByteSize.parse(input), Result.fail(ByteSize.expectation))
  })

  const Bytes = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })))
  it.effect.prop("are read back as they are written", [Bytes], ([bytes]) =>
    Effect.sync(() => assert.deepStrictEqual(ByteSize.parse(ByteSize.format(bytes)), Result.succeed(bytes)))
  )

  it("are written as short as can be", () => {
    assert.strictEqual(ByteSize.format(268_435_456), "256M")
    assert.strictEqual(ByteSize.format(1025), "1025")
    assert.strictEqual(ByteSize.format(0), "0")
  })
})

describe("cpu limits", () => {
  it.each([
    ["0.5", 0.5],
    ["2", 2],
    [1.25, 1.25],
    ["0.01", 0.01]
  ] as const)("reads %s", (input, cores) => {
    assert.deepStrictEqual(CpuLimit.parse(input), Result.succeed(cores))
  })

  it.each(["", "0", "0.001", "-1", ".5", "1,5", "half", "1e1", "99999", 0, -1, Number.NaN])("refuses %j", (input) => {
    assert.deepStrictEqual(CpuLimit.parse(input), Result.fail(CpuLimit.expectation))
  })

  it("counts billionths of a core", () => {
    assert.strictEqual(CpuLimit.toNanoCpus(0.1), 100_000_000)
  })
})
