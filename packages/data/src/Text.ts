/**
 * Seeded English-looking text whose counts are known: what `wc` prints, and how often each word occurs. ASCII only, so that
 * characters are bytes; `Unicode` has the rest. Sizes that make no text are refused with `InvalidText`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"

/** Counts as `wc -l -w -m -c` defines them; a paragraph is a run of lines between blank ones. */
export interface Counts {
  readonly paragraphs: number
  readonly lines: number
  readonly words: number
  readonly characters: number
  readonly bytes: number
}

/** A text ending in a line feed (or empty), with what is known of it. */
export interface Text {
  readonly text: string
  readonly counts: Counts
  /** Occurrences per word, in lower case and without punctuation, in order of first appearance. */
  readonly frequencies: ReadonlyMap<string, number>
}

/** `words` words in each paragraph, lines of at most `width` columns (72 unless told). */
export interface ProseSpec {
  readonly seed: Seed
  readonly paragraphs: number
  readonly words: number
  readonly width?: number
}

/** `words` words in each line. */
export interface LinesSpec {
  readonly seed: Seed
  readonly lines: number
  readonly words: number
}

/** A size out of range. */
export class InvalidText extends Schema.TaggedError<InvalidText>()("InvalidText", {
  fact: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `Could not generate text: ${this.fact}.\n${this.remedy}`
  }
}

/** Most words, or Unicode units, of one text. */
export const maxUnits = 1_000_000

/** Narrowest line, in columns: every word of the vocabulary fits. */
export const minWidth = 20

/** Every word that occurs, in the order draws are numbered. */
export const vocabulary: ReadonlyArray<string> = (
  "the a of and to in is that for with as on by this from or an be are not have it at was which one all can each we " +
  "river window market garden engine letter signal harbour winter copper morning silence mountain paper question island " +
  "carries follows measures opens returns keeps builds answers crosses reads slowly never again twice together northward"
).split(" ")

/** Sentences of 4 to 12 words (the last of a paragraph may be shorter), wrapped; a blank line between paragraphs. */
export const prose = Effect.fn("Text.prose")(function* (spec: ProseSpec): Effect.fn.Return<Text, InvalidText> {
  const { paragraphs, words, width = 72 } = spec
  yield* whole("paragraphs", paragraphs, 0, maxUnits)
  yield* whole("words", words, 1, maxUnits)
  yield* whole("paragraphs × words", paragraphs * words, 0, maxUnits)
  yield* whole("width", width, minWidth, maxUnits)
  const random = SeededRandom.make(spec.seed, "Text", "prose")
  const blocks = Array.from({ length: paragraphs }, () => wrap(sentences(random, words), width))
  const lines = blocks.flatMap((block, index) => (index === 0 ? block : ["", ...block]))
  return known(lines, paragraphs, paragraphs * words)
})

/** Lines of lower-case words with one space between, no punctuation, no blank line. */
export const lines = Effect.fn("Text.lines")(function* (spec: LinesSpec): Effect.fn.Return<Text, InvalidText> {
  yield* whole("lines", spec.lines, 0, maxUnits)
  yield* whole("words", spec.words, 1, maxUnits)
  yield* whole("lines × words", spec.lines * spec.words, 0, maxUnits)
  const random = SeededRandom.make(spec.seed, "Text", "lines")
  const row = () => Array.from({ length: spec.words }, () => random.choice(vocabulary)).join(" ")
  return known(Array.from({ length: spec.lines }, row), Math.min(spec.lines, 1), spec.lines * spec.words)
})

/** Refuses what is no whole number from least to most. */
function whole(name: string, value: number, least: number, most: number): Effect.Effect<void, InvalidText> {
  return Number.isInteger(value) && value >= least && value <= most
    ? Effect.void
    : Effect.fail(
        new InvalidText({ fact: `${name} is ${value}`, remedy: `Give a whole number from ${least} to ${most}.` })
      )
}

function sentences(random: SeededRandom.SeededRandom, count: number): ReadonlyArray<string> {
  const words: Array<string> = []
  while (words.length < count) {
    const length = Math.min(random.integer(4, 12), count - words.length)
    for (let i = 0; i < length; i++) {
      const word = random.choice(vocabulary)
      const cased = i === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : word
      words.push(i === length - 1 ? `${cased}.` : cased)
    }
  }
  return words
}

function wrap(words: ReadonlyArray<string>, width: number): ReadonlyArray<string> {
  const wrapped: Array<string> = []
  let line = ""
  for (const word of words) {
    const longer = line === "" ? word : `${line} ${word}`
    if (longer.length > width) wrapped.push(line)
    line = longer.length > width ? word : longer
  }
  return [...wrapped, line]
}

/** Words and paragraphs are known from the specification; characters and lines are added up from the lines. */
function known(rows: ReadonlyArray<string>, paragraphs: number, words: number): Text {
  const characters = rows.reduce((sum, row) => sum + row.length + 1, 0)
  const frequencies = new Map<string, number>()
  for (const row of rows) {
    for (const part of row === "" ? [] : row.split(" ")) {
      const word = part.replace(".", "").toLowerCase()
      frequencies.set(word, (frequencies.get(word) ?? 0) + 1)
    }
  }
  const counts = { paragraphs, lines: rows.length, words, characters, bytes: characters }
  return { text: rows.map((row) => `${row}\n`).join(""), counts, frequencies }
}
