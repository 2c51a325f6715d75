/**
 * What the person at the terminal sees while work goes on. Everything goes to stderr, so stdout carries data only.
 * On a terminal the current status is redrawn in place; elsewhere each new status is a plain line.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { TerminalCapabilities } from "effect/cli"

export type Colour = "red" | "green" | "yellow" | "dim" | "bold"

const codes: Record<Colour, number> = { bold: 1, dim: 2, green: 32, red: 31, yellow: 33 }
const clearLine = "\r\u001b[2K"

export class Progress extends Context.Service<
  Progress,
  {
    /** A line that stays. */
    readonly line: (text: string) => Effect.Effect<void>
    /** What is being done now; replaces the previous status. Repeating the same text prints nothing. */
    readonly status: (text: string) => Effect.Effect<void>
    /** Paints text where the terminal shows colours and `NO_COLOR` is not set. */
    readonly paint: (colour: Colour, text: string) => string
  }
>()("@sbx/suite/Progress") {}

interface Screen {
  readonly status: string
}

const make = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const screen = yield* Ref.make<Screen>({ status: "" })
  // A closed stderr must not end the run that it reports on.
  const write = (text: string) => Stream.make(text).pipe(Stream.run(stdio.stderr({ endOnDone: false })), Effect.ignore)

  const line = Effect.fnUntraced(function* (text: string) {
    const { status } = yield* Ref.get(screen)
    yield* write(canAnimate && status !== "" ? `${clearLine}${text}\n${status}` : `${text}\n`)
  })
  const status = Effect.fnUntraced(function* (text: string) {
    const before = yield* Ref.getAndSet(screen, { status: text })
    if (before.status === text) return
    if (canAnimate) return yield* write(`${clearLine}${text}`)
    if (text !== "") yield* write(`${text}\n`)
  })
  const paint = (colour: Colour, text: string) => (canColor ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text)
  yield* Effect.addFinalizer(() => status(""))
  return Progress.of({ line, paint, status })
})

export const layer: Layer.Layer<Progress, never, Stdio.Stdio> = Layer.effect(Progress, make).pipe(
  Layer.provide(TerminalCapabilities.layer)
)
