import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import { frame, make } from "../src/internal/liveScreen.ts"

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const tokens = /\u001b\[[?\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g

/** What a terminal shows after this text: enough of ECMA-48 for what is written here; anything else throws. */
const shown = (text: string): ReadonlyArray<string> => {
  const grid: Array<string> = []
  let row = 0
  let column = 0
  for (const [token] of text.matchAll(tokens)) {
    const line = grid[row] ?? ""
    if (token === "\r") column = 0
    else if (token === "\n") row++
    else if (token === "\u001b[H") [row, column] = [0, 0]
    else if (token === "\u001b[K") grid[row] = line.slice(0, column)
    else if (token === "\u001b[J") {
      grid[row] = line.slice(0, column)
      grid.length = row + 1
    } else if (token.startsWith("\u001b[?")) continue
    else if (token.startsWith("\u001b")) throw new Error(`unknown sequence ${JSON.stringify(token)}`)
    else {
      grid[row] = line.slice(0, column).padEnd(column) + token + line.slice(column + token.length)
      column += token.length
    }
  }
  return grid
}

describe("a live screen", () => {
  it("shows the last frame and nothing of the ones before, without clearing", () => {
    const text = frame(["a long line", "another", "third"]) + frame(["short", "x"])
    assert.deepStrictEqual(shown(text), ["short", "x"])
    assert.deepStrictEqual(shown(frame(["one"]) + frame(["one", "two"])), ["one", "two"])
    assert.notInclude(text, "\u001b[2J")
  })

  it("updates in one go where the terminal knows how", () => {
    assert.isTrue(frame(["a"]).startsWith("\u001b[?2026h"))
    assert.isTrue(frame(["a"]).endsWith("\u001b[?2026l"))
  })

  it.effect("gives the cursor and the screen back when it is interrupted", () =>
    Effect.gen(function* () {
      let text = ""
      const sink = () => Sink.forEach((chunk: string | Uint8Array) => Effect.sync(() => (text += String(chunk))))
      const program = Effect.flatMap(make, ({ draw }) => Effect.andThen(draw(["x"]), Effect.never))
      const fiber = yield* Effect.forkChild(
        Effect.scoped(program).pipe(Effect.provide(Stdio.layerTest({ stdout: sink })))
      )
      yield* Effect.yieldNow
      assert.isTrue(text.startsWith("\u001b[?1049h\u001b[?25l"), JSON.stringify(text))
      assert.notInclude(text, "\u001b[?25h")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(text.endsWith("\u001b[?25h\u001b[?1049l"))
    })
  )
})
