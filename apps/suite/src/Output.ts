/**
 * The program's answer: standard output carries data only. Colours only where standard output is a terminal that shows them.
 * A reader that went away (`sbx list | head -1`) never ends the work that is reported on.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { type Paint, screen } from "./internal/screen.ts"

export class Output extends Context.Service<
  Output,
  {
    /** One line, or several. */
    readonly print: (text: string) => Effect.Effect<void>
    /** One value as one line of JSON. A value that its own schema refuses is a defect. */
    readonly json: <A, I extends Schema.Json>(schema: Schema.Codec<A, I>, value: A) => Effect.Effect<void>
    readonly paint: Paint
  }
>()("@sbx/suite/Output") {}

export const layer: Layer.Layer<Output, never, Stdio.Stdio> = Layer.effect(
  Output,
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const { paint } = yield* screen(stdio.stdoutIsTerminal)
    const print = (text: string) =>
      Stream.make(`${text}\n`).pipe(Stream.run(stdio.stdout({ endOnDone: false })), Effect.ignore)
    return {
      print,
      paint,
      json: (schema, value) =>
        Effect.flatMap(Effect.orDie(Schema.encodeEffect(Schema.fromJsonString(schema))(value)), print)
    }
  })
)
