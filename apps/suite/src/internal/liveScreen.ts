/**
 * Redraws a whole screen of lines without flicker: on the alternate screen, from its top left corner, each line over the old one, as
 * one synchronised update where the terminal knows them. Leaves the terminal as it was, however the scope closes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

const csi = "\u001b["

/** DEC private modes, xterm's ctlseqs: the alternate screen with a saved cursor, and the cursor hidden. */
const enter = `${csi}?1049h${csi}?25l`
const leave = `${csi}?25h${csi}?1049l`

/** Synchronised output, mode 2026; terminals that do not know it ignore it. */
const begin = `${csi}?2026h`
const end = `${csi}?2026l`

/** Home (CUP), erase to the end of the line (EL), erase below (ED): ECMA-48 §8.3. Never a full clear, which would flash. */
export const frame = (lines: ReadonlyArray<string>): string =>
  `${begin}${csi}H${lines.map((line) => `${line}${csi}K`).join("\r\n")}${csi}J${end}`

export interface LiveScreen {
  readonly draw: (lines: ReadonlyArray<string>) => Effect.Effect<void>
}

export const make: Effect.Effect<LiveScreen, never, Stdio.Stdio | Scope.Scope> = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  // A terminal that went away must not end the program in a way of its own.
  const write = (text: string) => Stream.make(text).pipe(Stream.run(stdio.stdout({ endOnDone: false })), Effect.ignore)
  yield* Effect.acquireRelease(write(enter), () => write(leave))
  return { draw: (lines) => write(frame(lines)) }
})
