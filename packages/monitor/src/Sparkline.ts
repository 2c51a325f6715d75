/**
 * A series as one line of characters, for terminals. Bars start at zero, so that a tenth looks like a tenth; a gap is a blank,
 * never a bar.
 */

/** Block elements, U+2581 to U+2588. */
const bars = "▁▂▃▄▅▆▇█"

export interface SparklineOptions {
  /** Characters; the newest values are shown. */
  readonly width: number
  /** What a full bar stands for. Default the greatest value shown. */
  readonly max?: number
}

/** One character a value, oldest first; shorter than `width` when there are fewer. `undefined` stands for a gap. */
export const sparkline = (values: ReadonlyArray<number | undefined>, options: SparklineOptions): string => {
  const shown = options.width < 1 ? [] : values.slice(-Math.floor(options.width))
  const top = options.max ?? Math.max(0, ...shown.map((value) => value ?? 0))
  return shown.map((value) => (value === undefined ? " " : bar(value, top))).join("")
}

const bar = (value: number, top: number): string => {
  const eighths = top > 0 ? Math.ceil((value / top) * bars.length) : 1
  return bars.charAt(Math.min(bars.length, Math.max(1, eighths)) - 1)
}
