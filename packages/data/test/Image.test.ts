import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checksum from "../src/Checksum.ts"
import * as Image from "../src/Image.ts"
import * as Rational from "../src/Rational.ts"
import { readPng } from "./pngOracle.ts"

const side = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })))
const patterns: ReadonlyArray<Image.Pattern> = [
  { kind: "noise" },
  { kind: "gradient" },
  { kind: "checkers", square: 3 }
]
const base: Image.Spec = { seed: 1, width: 4, height: 3, pattern: { kind: "noise" } }
const fraction = ({ numerator, denominator }: Rational.Rational) =>
  denominator === 1n ? `${numerator}` : `${numerator}/${denominator}`

const refusals: ReadonlyArray<readonly [string, Partial<Image.Spec>, string]> = [
  ["no width", { width: 0 }, "the width is 0"],
  ["half a height", { height: 1.5 }, "the height is 1.5"],
  ["squares of no pixels", { pattern: { kind: "checkers", square: 0 } }, "the square is 0"],
  ["too many pixels", { width: 4097, height: 4096 }, "4097 × 4096 pixels are too many"]
]

describe("Image", () => {
  for (const [title, change, fact] of refusals) {
    it.effect(`refuses ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Image.make({ ...base, ...change }))
        assert.strictEqual(error._tag, "InvalidImage")
        assert.match(error.message, new RegExp(`^Could not generate an image: ${fact}\\.\n.+\\.$`))
      })
    )
  }

  for (const pattern of patterns) {
    it.effect(`gives the same ${pattern.kind} for a seed for ever, with exact channels`, () =>
      Effect.gen(function* () {
        const image = yield* Image.make({ seed: "golden", width: 200, height: 120, pattern })
        const golden = GOLDEN[pattern.kind]
        const sums = [Checksum.ofBytes(Image.ppm(image)), Checksum.ofBytes(Image.png(image))]
        assert.deepStrictEqual(sums, golden.sums)
        const channels = Image.channels(image)
        const known = channels.map(({ mean, variance }) => [fraction(mean.exact), fraction(variance.exact)])
        assert.deepStrictEqual(known, golden.channels)
        const other = yield* Image.make({ seed: "other", width: 200, height: 120, pattern })
        assert.notDeepEqual(other.pixels, image.pixels)
      })
    )
  }

  it.effect.prop("writes the pixels into PPM and PNG as they are", { width: side, height: side }, (size) =>
    Effect.gen(function* () {
      for (const pattern of patterns) {
        const image = yield* Image.make({ seed: 1, ...size, pattern })
        assert.deepStrictEqual(readPng(Image.png(image)), image)
        const header = `P6\n${size.width} ${size.height}\n255\n`
        const ppm = Image.ppm(image)
        assert.strictEqual(new TextDecoder().decode(ppm.subarray(0, header.length)), header)
        assert.deepStrictEqual(ppm.slice(header.length), image.pixels)
      }
    })
  )

  for (const [title, height] of [
    ["one full stored block", 771],
    ["a full stored block and a short one", 772]
  ] as const) {
    it.effect(`writes a PNG of ${title}`, () =>
      Effect.gen(function* () {
        // A scanline is 1 + 3 × 28 = 85 bytes, and 771 of them are 65,535, the longest block.
        const image = yield* Image.make({ ...base, width: 28, height })
        assert.deepStrictEqual(readPng(Image.png(image)), image)
      })
    )
  }

  it.effect("spans gradients from 0 to 255 and alternates checkers", () =>
    Effect.gen(function* () {
      const gradient = yield* Image.make({ ...base, width: 256, height: 256, pattern: { kind: "gradient" } })
      const [red, green, blue] = Image.channels(gradient)
      assert.deepStrictEqual([red.min, red.max, green.min, green.max], [0, 255, 0, 255])
      assert.deepStrictEqual([fraction(red.mean.exact), fraction(green.mean.exact)], ["255/2", "255/2"])
      assert.strictEqual(blue.min, blue.max)
      const { pixels } = yield* Image.make({ ...base, width: 4, height: 1, pattern: { kind: "checkers", square: 2 } })
      assert.deepStrictEqual(pixels.slice(0, 3), pixels.slice(3, 6))
      assert.deepStrictEqual(pixels.slice(6, 9), pixels.slice(9, 12))
      assert.notDeepEqual(pixels.slice(0, 3), pixels.slice(6, 9))
    })
  )
})

// Computed from the definition in Python (hashlib, struct, zlib, fractions), not with this code: SHA-256 of
// PPM and PNG, mean and variance of each channel.
const GOLDEN: Record<
  Image.Pattern["kind"],
  { readonly sums: ReadonlyArray<string>; readonly channels: ReadonlyArray<ReadonlyArray<string>> }
> = {
  noise: {
    sums: [
      "a7152fb47e2bb02c6dc7ade0dbf39f9a78080784a4215c3ca6cc713fb773bf0b",
      "cebb8075a71c9397b70792f76bc3f7cdbb55728945ea5b2d3ea167ab5ebd4086"
    ],
    channels: [
      ["128263/1000", "16393211993/3000000"],
      ["3066707/24000", "3139779496151/576000000"],
      ["1521107/12000", "784494990551/144000000"]
    ]
  },
  gradient: {
    sums: [
      "e0242a3d37ccf689e6fd461f7feb07497812a0ece3c3cebc869dfe8677b7adbe",
      "5b10a46bbe822962a746f73161de0cae698b4edf6dffef97cb0f2d645a152ab8"
    ],
    channels: [
      ["25401/200", "218910999/40000"],
      ["5083/40", "26440253/4800"],
      ["135", "0"]
    ]
  },
  checkers: {
    sums: [
      "cdb62d78b32bec62cb2003a92d28133e8ed8a3c02964c232199416d28a85ecb6",
      "51d08be84d61d4d6a0724c78feccd42384405e30644cec52019d877762b33c7f"
    ],
    channels: [
      ["234", "81"],
      ["315/2", "16129/4"],
      ["71", "81"]
    ]
  }
}
