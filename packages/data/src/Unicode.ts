/**
 * Seeded Unicode text, always well-formed (no lone surrogate), with its size in every unit that programs disagree about,
 * and canonically equivalent pairs. Bytes that are not UTF-8 are no text and not made here.
 */
import * as Effect from "effect/Effect"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"
import { InvalidText, maxUnits } from "./Text.ts"

/**
 * What a text is made of, unit by unit.
 * - planes: scalar values of all 17 planes in turn (17 successive units hold one of each), assigned or not; no
 *   controls and no noncharacters.
 * - combining: a Latin letter under 1 to 4 marks of U+0300–U+036F.
 * - rightToLeft: Hebrew and Arabic letters, some pointed, among spaces and European digits.
 * - emoji: sequences of variation selectors, skin tones, joiners, flags, keycaps and tags.
 */
export type Kind = "planes" | "combining" | "rightToLeft" | "emoji"

export const kinds: ReadonlyArray<Kind> = ["planes", "combining", "rightToLeft", "emoji"]

export interface Sample {
  readonly text: string
  /** Unicode scalar values (code points): Python's `len`, Rust's `chars().count()`. */
  readonly scalars: number
  /** UTF-16 code units: JavaScript's `length`. */
  readonly utf16Units: number
  /** Bytes in UTF-8: Go's `len`, a file's size. */
  readonly utf8Bytes: number
  /** Extended grapheme clusters (UAX #29); undefined for planes, where they depend on the Unicode version. */
  readonly clusters: number | undefined
}

/** The same text in both canonical forms (UAX #15); equal as text, different as bytes and as file names. */
export interface Equivalents {
  readonly nfc: string
  readonly nfd: string
}

/** The first and last scalar value of each UTF-8 length and of the surrogates' gap, and U+FFFD. */
export const boundaries: ReadonlyArray<string> = [
  0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x1_0000, 0x10_ffff
].map((scalar) => String.fromCodePoint(scalar))

/** `units` units of a kind, from 0 to `Text.maxUnits`. A shorter text is the beginning of a longer one. */
export const sample = Effect.fn("Unicode.sample")(function* (
  seed: Seed,
  kind: Kind,
  units: number
): Effect.fn.Return<Sample, InvalidText> {
  yield* countable(units)
  const random = SeededRandom.make(seed, "Unicode", kind)
  const scalars = Array.from({ length: units }, (_, index) => unit(kind, index, random)).flat()
  return {
    text: scalars.map((scalar) => String.fromCodePoint(scalar)).join(""),
    scalars: scalars.length,
    utf16Units: scalars.reduce((sum, scalar) => sum + (scalar > 0xffff ? 2 : 1), 0),
    utf8Bytes: scalars.reduce((sum, scalar) => sum + utf8Length(scalar), 0),
    clusters: kind === "planes" ? undefined : units
  }
})

/** A text of `letters` letters, each of which has another encoding in NFC than in NFD. */
export const equivalents = Effect.fn("Unicode.equivalents")(function* (
  seed: Seed,
  letters: number
): Effect.fn.Return<Equivalents, InvalidText> {
  yield* countable(letters)
  const random = SeededRandom.make(seed, "Unicode", "equivalents")
  const pairs = Array.from({ length: letters }, () =>
    random.integer(0, 1) === 0 ? random.choice(decompositions) : hangul(random.integer(0, 11_171))
  )
  return {
    nfc: pairs.map(([composed]) => String.fromCodePoint(composed)).join(""),
    nfd: pairs.map(([, parts]) => String.fromCodePoint(...parts)).join("")
  }
})

function countable(units: number): Effect.Effect<void, InvalidText> {
  const remedy = `Give a whole number from 0 to ${maxUnits}.`
  return Number.isInteger(units) && units >= 0 && units <= maxUnits
    ? Effect.void
    : Effect.fail(new InvalidText({ fact: `the number of units is ${units}`, remedy }))
}

function unit(kind: Kind, index: number, random: SeededRandom.SeededRandom): ReadonlyArray<number> {
  switch (kind) {
    case "planes":
      return [scalarOfPlane(index % 17, random)]
    case "combining": {
      const letter = 0x61 + random.integer(0, 25)
      return [letter, ...Array.from({ length: random.integer(1, 4) }, () => 0x300 + random.integer(0, 0x6f))]
    }
    case "rightToLeft":
      return rightToLeft(random)
    case "emoji":
      return random.choice(emoji)
  }
}

function scalarOfPlane(plane: number, random: SeededRandom.SeededRandom): number {
  for (;;) {
    const scalar = plane * 0x1_0000 + random.integer(0, 0xffff)
    const control = scalar < 0x20 || (scalar >= 0x7f && scalar <= 0x9f)
    const surrogate = scalar >= 0xd800 && scalar <= 0xdfff
    const noncharacter = (scalar & 0xfffe) === 0xfffe || (scalar >= 0xfdd0 && scalar <= 0xfdef)
    if (!control && !surrogate && !noncharacter) return scalar
  }
}

/** One in eight a space, one in eight a digit, a quarter of the letters pointed. */
function rightToLeft(random: SeededRandom.SeededRandom): ReadonlyArray<number> {
  const draw = random.integer(0, 7)
  if (draw === 0) return [0x20]
  if (draw === 1) return [0x30 + random.integer(0, 9)]
  const hebrew = draw <= 4
  const letter = hebrew ? 0x5d0 + random.integer(0, 26) : 0x627 + random.integer(0, 19)
  const pointed = random.integer(0, 3) === 0
  if (!pointed) return [letter]
  return [letter, hebrew ? 0x5b0 + random.integer(0, 9) : 0x64b + random.integer(0, 7)]
}

function utf8Length(scalar: number): number {
  if (scalar < 0x80) return 1
  if (scalar < 0x800) return 2
  return scalar < 0x1_0000 ? 3 : 4
}

/** A Hangul syllable and its jamo by the arithmetic of the Unicode Standard, section 3.12. */
function hangul(index: number): readonly [number, ReadonlyArray<number>] {
  const trail = index % 28
  const jamo = [0x1100 + Math.floor(index / 588), 0x1161 + Math.floor((index % 588) / 28)]
  return [0xac00 + index, trail === 0 ? jamo : [...jamo, 0x11a7 + trail]]
}

/** Composed scalar and its full canonical decomposition (UnicodeData.txt, field 5, applied to the end). */
const decompositions: ReadonlyArray<readonly [number, ReadonlyArray<number>]> = [
  [0xc5, [0x41, 0x30a]],
  [0xe7, [0x63, 0x327]],
  [0xe9, [0x65, 0x301]],
  [0xf1, [0x6e, 0x303]],
  [0xfc, [0x75, 0x308]],
  [0x1d6, [0x75, 0x308, 0x304]],
  [0x3ce, [0x3c9, 0x301]],
  [0x439, [0x438, 0x306]],
  [0x1e69, [0x73, 0x323, 0x307]],
  [0x1ec7, [0x65, 0x323, 0x302]],
  [0x304c, [0x304b, 0x3099]],
  [0x1_109a, [0x1_1099, 0x1_10ba]]
]

/** One cluster each; RGI sequences of emoji-sequences.txt and emoji-zwj-sequences.txt (UTS #51). */
const emoji: ReadonlyArray<ReadonlyArray<number>> = [
  [0x1_f600],
  [0x2764, 0xfe0f],
  [0x1_f44d, 0x1_f3fb],
  [0x1_f44d, 0x1_f3ff],
  [0x1_f1e9, 0x1_f1ea],
  [0x1_f1ef, 0x1_f1f5],
  [0x23, 0xfe0f, 0x20e3],
  [0x37, 0xfe0f, 0x20e3],
  [0x1_f468, 0x200d, 0x1_f469, 0x200d, 0x1_f467, 0x200d, 0x1_f466],
  [0x1_f469, 0x1_f3fd, 0x200d, 0x1_f52c],
  [0x1_f3f3, 0xfe0f, 0x200d, 0x1_f308],
  [0x1_f3f4, 0xe_0067, 0xe_0062, 0xe_0073, 0xe_0063, 0xe_0074, 0xe_007f]
]
