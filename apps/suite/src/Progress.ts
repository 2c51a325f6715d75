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
import { type Paint, screen } from "./internal/screen.ts"

const clearLine = "\r\u001b[2K"

export class Progress extends Context.Service<
  Progress,
  {
    /** A line that stays. */
    readonly line: (text: string) => Effect.Effect<void>
    /** What is being done now; replaces the previous status. Repeating the same text prints nothing. */
    readonly status: (text: string) => Effect.Effect<void>
    /** Paints text where the terminal shows colours and `NO_COLOR` is not set. */
    readonly paint: Paint
  }
>()("@sbx/suite/Progress") {}

const make = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const { animates, paint } = yield* screen(stdio.stderrIsTerminal)
  const shown = yield* Ref.make("")
  // A closed stderr must not end the run that it reports on.
  const write = (text: string) => Stream.make(text).pipe(Stream.run(stdio.stderr({ endOnDone: false })), Effect.ignore)

  const line = Effect.fnUntraced(function* (text: string) {
    const status = yield* Ref.get(shown)
    yield* write(animates && status !== "" ? `${clearLine}${text}\n${status.slice(0, 78)}` : `${text}\n`)
  })
  const status = Effect.fnUntraced(function* (text: string) {
    const before = yield* Ref.getAndSet(shown, text)
    if (before === text) return
    // A line that wraps could not be cleared.
    if (animates) return yield* write(`${clearLine}${text.slice(0, 78)}`)
    if (text !== "") yield* write(`${text}\n`)
  })
  yield* Effect.addFinalizer(() => status(""))
  return Progress.of({ line, paint, status })
})

export const layer: Layer.Layer<Progress, never, Stdio.Stdio> = Layer.effect(Progress, make)
