import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checksum from "../src/Checksum.ts"
import * as Text from "../src/Text.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** What `wc` counts: line feeds, runs of anything but white space, characters, bytes. */
const counted = (text: string): Text.Counts => ({
  paragraphs: (text.match(/(^|\n\n)[^\n]/g) ?? []).length,
  lines: (text.match(/\n/g) ?? []).length,
  words: (text.match(/\S+/g) ?? []).length,
  characters: Array.from(text).length,
  bytes: new TextEncoder().encode(text).length
})

const frequencies = (text: string): Record<string, number> => {
  const found: Record<string, number> = {}
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) found[word] = (found[word] ?? 0) + 1
  return found
}

const refusals: ReadonlyArray<readonly [string, Effect.Effect<Text.Text, Text.InvalidText>, string]> = [
  ["negative paragraphs", Text.prose({ seed: 1, paragraphs: -1, words: 1 }), "paragraphs is -1"],
  ["paragraphs of no words", Text.prose({ seed: 1, paragraphs: 1, words: 0 }), "words is 0"],
  ["too much prose", Text.prose({ seed: 1, paragraphs: 2, words: 600_000 }), "paragraphs × words is 1200000"],
  ["a narrow column", Text.prose({ seed: 1, paragraphs: 1, words: 1, width: 19 }), "width is 19"],
  ["half a line", Text.lines({ seed: 1, lines: 0.5, words: 1 }), "lines is 0.5"],
  ["lines of no words", Text.lines({ seed: 1, lines: 1, words: Number.NaN }), "words is NaN"],
  ["too many lines", Text.lines({ seed: 1, lines: 1001, words: 1000 }), "lines × words is 1001000"]
]

describe("Text", () => {
  for (const [title, text, fact] of refusals) {
    it.effect(`refuses ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(text)
        assert.strictEqual(error._tag, "InvalidText")
        assert.match(error.message, new RegExp(`^Could not generate text: ${fact}\\.\nGive a whole number from`))
      })
    )
  }

  it.effect("gives the same text for a seed for ever, and another for another", () =>
    Effect.gen(function* () {
      const prose = yield* Text.prose({ seed: "golden", paragraphs: 3, words: 40 })
      assert.strictEqual(Checksum.ofText(prose.text), GOLDEN_PROSE)
      assert.deepStrictEqual(prose.counts, { paragraphs: 3, lines: 14, words: 120, characters: 742, bytes: 742 })
      const lines = yield* Text.lines({ seed: "golden", lines: 20, words: 5 })
      assert.strictEqual(Checksum.ofText(lines.text), GOLDEN_LINES)
      assert.notStrictEqual((yield* Text.lines({ seed: "other", lines: 20, words: 5 })).text, lines.text)
    })
  )

  it.effect.prop(
    "knows its counts and frequencies",
    { seed: Schema.String, paragraphs: int(0, 5), words: int(1, 60), width: int(Text.minWidth, 100) },
    (spec) =>
      Effect.gen(function* () {
        const prose = yield* Text.prose(spec)
        assert.deepStrictEqual(prose.counts, counted(prose.text))
        assert.deepStrictEqual(Object.fromEntries(prose.frequencies), frequencies(prose.text))
        const lines = yield* Text.lines({ seed: spec.seed, lines: spec.paragraphs, words: spec.words })
        assert.deepStrictEqual(lines.counts, counted(lines.text))
        assert.deepStrictEqual(Object.fromEntries(lines.frequencies), frequencies(lines.text))
      })
  )

  it.effect("wraps prose at its width and no sooner than it has to", () =>
    Effect.gen(function* () {
      const { text } = yield* Text.prose({ seed: "wrap", paragraphs: 2, words: 200, width: 40 })
      const lines = text.split("\n")
      assert.isTrue(lines.every((line) => line.length <= 40))
      for (const [index, line] of lines.entries()) {
        const next = lines[index + 1]?.split(" ")[0] ?? ""
        if (line !== "" && next !== "") assert.isAbove(line.length + 1 + next.length, 40)
      }
    })
  )

  it.effect("writes sentences of at most 12 words and as many words to a line as told", () =>
    Effect.gen(function* () {
      const { text } = yield* Text.prose({ seed: "sentences", paragraphs: 3, words: 100 })
      const sentences = text.replaceAll("\n", " ").split(".").slice(0, -1)
      assert.isTrue(sentences.every((sentence) => /^\s*[A-Z][a-z]*( +[a-z]+){0,11}$/.test(sentence)))
      const lines = yield* Text.lines({ seed: "lines", lines: 50, words: 7 })
      assert.isTrue(
        lines.text
          .trimEnd()
          .split("\n")
          .every((line) => line.split(" ").length === 7)
      )
    })
  )

  it("keeps its vocabulary within the narrowest column, in lower-case ASCII, each word once", () => {
    assert.isTrue(Text.vocabulary.every((word) => /^[a-z]+$/.test(word) && word.length < Text.minWidth))
    assert.strictEqual(new Set(Text.vocabulary).size, Text.vocabulary.length)
  })
})

// Computed from the definition in Python (hashlib, textwrap), not with this code.
const GOLDEN_PROSE = "bf35ca060ac146ec98a9efe2950110a3c2a850b54e8138088281f12d454534cc"
const GOLDEN_LINES = "be40418f99aa4b30b240831705268060e86f6afbdabb9c8b920070dc14992c78"
