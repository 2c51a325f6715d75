/** Events of about 250 bytes, the size of a lifecycle event, of three shapes. */
import * as EventFamily from "@sbx/journal/EventFamily"
import * as Schema from "effect/Schema"

const BenchEvent = Schema.TaggedUnion({
  Asked: { sandbox: Schema.String, argv: Schema.Array(Schema.String), atMillis: Schema.Int, note: Schema.String },
  Answered: { sandbox: Schema.String, exitCode: Schema.Int, durationMillis: Schema.Finite, output: Schema.String },
  Observed: { sandbox: Schema.String, running: Schema.Boolean, atMillis: Schema.Int, state: Schema.String }
})
export type BenchEvent = typeof BenchEvent.Type

export const BenchEvents = EventFamily.make({ category: "bench", union: BenchEvent })

const filler = "a sentence of the usual length, as logs and reasons are. ".repeat(3)

/** The n-th event; the same n, the same event. */
export const event = (n: number): BenchEvent => {
  const sandbox = `sbx_${String(n % 1000).padStart(12, "0")}`
  if (n % 3 === 0) return { _tag: "Asked", sandbox, argv: ["sh", "-c", "true"], atMillis: n, note: filler }
  if (n % 3 === 1) return { _tag: "Answered", sandbox, exitCode: n % 7, durationMillis: n / 8, output: filler }
  return { _tag: "Observed", sandbox, running: n % 2 === 0, atMillis: n, state: filler }
}
