/** What a terminal can show. NO_COLOR (no-color.org), FORCE_COLOR, `TERM=dumb` and CI are heeded as most tools do. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

type Colour = "red" | "green" | "yellow" | "dim" | "bold"

export type Paint = (colour: Colour, text: string) => string

interface Screen {
  /** Lines may be redrawn in place. */
  readonly animates: boolean
  readonly paint: Paint
}

/** SGR parameters, ECMA-48 §8.3.117. */
const codes: Record<Colour, number> = { bold: 1, dim: 2, green: 32, red: 31, yellow: 33 }

const variable = (name: string) =>
  Config.option(Config.String(name)).pipe(
    Effect.map(Option.getOrElse(() => "")),
    Effect.orElseSucceed(() => "")
  )

/** Of the stream that the effect asks about: standard output and error may lead to different places. */
export const screen = Effect.fnUntraced(function* (isTerminal: Effect.Effect<boolean>) {
  const terminal = (yield* isTerminal) && (yield* variable("TERM")) !== "dumb"
  const forced = !["", "0", "false"].includes(yield* variable("FORCE_COLOR"))
  const colours = (yield* variable("NO_COLOR")) === "" && (terminal || forced)
  const paint: Paint = (colour, text) => (colours ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text)
  return { animates: terminal && (yield* variable("CI")) === "", paint } satisfies Screen
})
