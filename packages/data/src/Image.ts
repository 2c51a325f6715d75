/**
 * Seeded 8-bit RGB images as values, written as PPM (P6) or PNG, with exact statistics of their pixels. PNG data is stored,
 * not compressed: what a compressor gives depends on its version, and the same seed has to give the same bytes. Sizes that
 * are no image are refused with `InvalidImage`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { encodePng } from "./internal/png.ts"
import * as Rational from "./Rational.ts"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"
import * as Statistics from "./Statistics.ts"

/** Red, green and blue from 0 to 255. */
export type Colour = readonly [number, number, number]

/**
 * - noise: every byte uniform.
 * - gradient: red grows from 0 to 255 from left to right, green from top to bottom, blue is one seeded value.
 * - checkers: squares of `square` pixels in two seeded colours, the first one top left.
 */
export type Pattern =
  | { readonly kind: "noise" }
  | { readonly kind: "gradient" }
  | { readonly kind: "checkers"; readonly square: number }

export interface Spec {
  readonly seed: Seed
  readonly width: number
  readonly height: number
  readonly pattern: Pattern
}

/** Pixels row by row from the top left, three bytes each. */
export interface Image {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/** What is known of one channel, in units of its 0 to 255. */
export interface Channel {
  readonly mean: Statistics.Exact
  /** Population variance (divided by the number of pixels). */
  readonly variance: Statistics.Exact
  readonly min: number
  readonly max: number
}

/** A width, height or square out of range. */
export class InvalidImage extends Schema.TaggedError<InvalidImage>()("InvalidImage", {
  fact: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `Could not generate an image: ${this.fact}.\n${this.remedy}`
  }
}

/** Most pixels of an image (48 MiB of them). */
export const maxPixels = 2 ** 24

/** Generates the image; width, height and squares are at least 1. */
export const make = Effect.fn("Image.make")(function* (spec: Spec): Effect.fn.Return<Image, InvalidImage> {
  const { width, height, pattern } = spec
  const sizes = { width, height, ...(pattern.kind === "checkers" ? { square: pattern.square } : {}) }
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1) {
      return yield* new InvalidImage({ fact: `the ${name} is ${value}`, remedy: "Give a whole number from 1." })
    }
  }
  if (width * height > maxPixels) {
    const fact = `${width} × ${height} pixels are too many`
    return yield* new InvalidImage({ fact, remedy: `Let width × height be at most ${maxPixels}.` })
  }
  const colour = painter(spec, SeededRandom.make(spec.seed, "Image", pattern.kind))
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels.set(colour(x, y), (y * width + x) * 3)
  }
  return { width, height, pixels }
})

/** Red, green and blue, exact. */
export const channels = (image: Image): readonly [Channel, Channel, Channel] => [
  channel(image, 0),
  channel(image, 1),
  channel(image, 2)
]

/** Binary portable pixmap (netpbm's P6, maxval 255). */
export const ppm = (image: Image): Uint8Array => {
  const header = new TextEncoder().encode(`P6\n${image.width} ${image.height}\n255\n`)
  const out = new Uint8Array(header.length + image.pixels.length)
  out.set(header)
  out.set(image.pixels, header.length)
  return out
}

/** PNG (ISO/IEC 15948): truecolour, 8 bits, not interlaced, no filter, stored blocks. */
export const png = (image: Image): Uint8Array => encodePng(image.width, image.height, image.pixels)

function painter(spec: Spec, random: SeededRandom.SeededRandom): (x: number, y: number) => Colour {
  const byte = () => random.integer(0, 255)
  const seeded = (): Colour => [byte(), byte(), byte()]
  const { pattern } = spec
  switch (pattern.kind) {
    case "noise":
      return seeded
    case "gradient": {
      const blue = byte()
      return (x, y) => [ramp(x, spec.width), ramp(y, spec.height), blue]
    }
    case "checkers": {
      const [first, second] = [seeded(), seeded()]
      const field = (at: number) => Math.floor(at / pattern.square)
      return (x, y) => ((field(x) + field(y)) % 2 === 0 ? first : second)
    }
  }
}

function ramp(at: number, length: number): number {
  return length === 1 ? 0 : Math.floor((at * 255) / (length - 1))
}

function channel(image: Image, offset: number): Channel {
  let [sum, squares, min, max] = [0, 0, 255, 0]
  for (let i = offset; i < image.pixels.length; i += 3) {
    const value = image.pixels[i] ?? 0
    sum += value
    squares += value * value
    min = Math.min(min, value)
    max = Math.max(max, value)
  }
  // At most 2^24 squares below 2^16: the sums are below 2^53 and exact.
  const [n, s1, s2] = [BigInt(image.width * image.height), BigInt(sum), BigInt(squares)]
  return {
    mean: Statistics.exactly(Rational.make(s1, n)),
    variance: Statistics.exactly(Rational.make(n * s2 - s1 * s1, n * n)),
    min,
    max
  }
}
