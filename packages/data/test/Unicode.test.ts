import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checksum from "../src/Checksum.ts"
import * as Unicode from "../src/Unicode.ts"

const units = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 })))
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

describe("Unicode", () => {
  for (const kind of Unicode.kinds) {
    it.effect(`gives the same ${kind} for a seed for ever`, () =>
      Effect.gen(function* () {
        const sample = yield* Unicode.sample("golden", kind, 200)
        const known = [Checksum.ofText(sample.text), sample.scalars, sample.utf16Units, sample.utf8Bytes]
        assert.deepStrictEqual(known, GOLDEN[kind])
        assert.notStrictEqual((yield* Unicode.sample("other", kind, 200)).text, sample.text)
      })
    )

    it.effect.prop(`makes ${kind} well-formed and knows its sizes`, { seed: Schema.String, units }, (spec) =>
      Effect.gen(function* () {
        const sample = yield* Unicode.sample(spec.seed, kind, spec.units)
        const bytes = new TextEncoder().encode(sample.text)
        assert.isTrue(sample.text.isWellFormed())
        assert.strictEqual(strict.decode(bytes), sample.text)
        assert.deepStrictEqual(
          [sample.scalars, sample.utf16Units, sample.utf8Bytes],
          [Array.from(sample.text).length, sample.text.length, bytes.length]
        )
        if (sample.clusters !== undefined) {
          // ICU's own segmentation, which shares nothing with the package.
          assert.strictEqual(Array.from(new Intl.Segmenter("en").segment(sample.text)).length, sample.clusters)
        }
      })
    )

    it.effect(`begins a longer text of ${kind} with the shorter one`, () =>
      Effect.gen(function* () {
        const [short, long] = [yield* Unicode.sample(1, kind, 10), yield* Unicode.sample(1, kind, 30)]
        assert.isTrue(long.text.startsWith(short.text))
      })
    )
  }

  it.effect("holds every plane once in 17 units, and neither controls nor noncharacters", () =>
    Effect.gen(function* () {
      const { text } = yield* Unicode.sample("planes", "planes", 17 * 2000)
      const scalars = Array.from(text, (char) => char.codePointAt(0) ?? -1)
      const planes = scalars.slice(0, 17).map((scalar) => Math.floor(scalar / 0x1_0000))
      assert.deepStrictEqual(
        planes,
        Array.from({ length: 17 }, (_, plane) => plane)
      )
      assert.notMatch(text, /\p{Cc}|\p{Noncharacter_Code_Point}/u)
    })
  )

  it.effect("uses the marks, scripts and sequences that its kinds name", () =>
    Effect.gen(function* () {
      const of = (kind: Unicode.Kind) => Effect.map(Unicode.sample("kinds", kind, 500), ({ text }) => text)
      assert.match(yield* of("combining"), /^([a-z]\p{Mn}{1,4})+$/u)
      const mixed = yield* of("rightToLeft")
      for (const part of [/\p{Script=Hebrew}\p{Mn}/u, /\p{Script=Arabic}\p{Mn}/u, /[0-9]/, / /])
        assert.match(mixed, part)
      assert.match(yield* of("emoji"), /^\p{RGI_Emoji}+$/v)
    })
  )

  it.effect("gives the same equivalents for a seed for ever", () =>
    Effect.gen(function* () {
      const { nfc, nfd } = yield* Unicode.equivalents("golden", 100)
      assert.deepStrictEqual([Checksum.ofText(nfc), Checksum.ofText(nfd)], GOLDEN_EQUIVALENTS)
    })
  )

  it.effect.prop("pairs a text in NFC with itself in NFD", { seed: Schema.String, units }, (spec) =>
    Effect.gen(function* () {
      const { nfc, nfd } = yield* Unicode.equivalents(spec.seed, spec.units)
      assert.deepStrictEqual([nfc.normalize("NFC"), nfc.normalize("NFD")], [nfc, nfd])
      assert.deepStrictEqual([nfd.normalize("NFC"), nfd.normalize("NFD")], [nfc, nfd])
      assert.strictEqual(Array.from(nfc).length, spec.units)
      assert.strictEqual(nfc === nfd, spec.units === 0)
    })
  )

  it("has well-formed boundaries at each UTF-8 length", () => {
    const lengths = Unicode.boundaries.map((text) => new TextEncoder().encode(text).length)
    assert.deepStrictEqual(lengths, [1, 2, 2, 3, 3, 3, 3, 3, 4, 4])
    assert.isTrue(Unicode.boundaries.every((text) => text.isWellFormed()))
  })

  for (const count of [-1, 0.5, 1_000_001]) {
    it.effect(`refuses ${count} units`, () =>
      Effect.gen(function* () {
        const errors = [
          yield* Effect.flip(Unicode.sample(1, "emoji", count)),
          yield* Effect.flip(Unicode.equivalents(1, count))
        ]
        for (const error of errors) {
          assert.strictEqual(error._tag, "InvalidText")
          assert.include(error.message, `the number of units is ${count}.\nGive a whole number from 0 to 1000000.`)
        }
      })
    )
  }
})

// Computed from the definition in Python (hashlib, unicodedata), not with this code: SHA-256 and sizes.
const GOLDEN: Record<Unicode.Kind, ReadonlyArray<string | number>> = {
  planes: ["665bd108dbfa89aa6ae4ede3c806d027463430dca5970f5857e353a7fd8537ed", 200, 388, 787],
  combining: ["efc856df91bea4f14d083cfe4c0378b9af936dc4484b3982fe898545456f7f40", 674, 674, 1148],
  rightToLeft: ["b51ff53701bdde002f9b027a7d60b874e73c0dbdc4ca8c508785bc6cc11c2bb9", 244, 244, 444],
  emoji: ["a659c3b1db75a3a1a76c3ed5470c5ab89919710d5fad77b9410f8233d9ada977", 647, 1060, 2282]
}
const GOLDEN_EQUIVALENTS = [
  "75570376a5195fa517318e4e237831ae26262fd00ea7b8f288880a563ffe8a96",
  "ca5730884b9549a05e6380cd01fed9f5594094743af4d110a9aea1704de3639a"
]
