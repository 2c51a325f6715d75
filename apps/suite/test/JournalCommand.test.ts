import { readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { any, Journal, streamName } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Effect from "effect/Effect"
import { directory } from "./support/commandLine.ts"
import { commandLine } from "./support/inProcess.ts"

const mark = "a sentence that stands in the middle of the file"

/** A journal of several pages, with one event that can be found by its text. */
const write = Effect.fnUntraced(function* (file: string) {
  yield* Effect.gen(function* () {
    const journal = yield* Journal
    for (let n = 0; n < 60; n++) {
      const text = n === 30 ? mark : "x".repeat(500)
      const event = { type: "Said", schemaVersion: 1, payload: { text } }
      yield* journal.append(streamName("talk", `t${n % 3}`), [event], { expected: any })
    }
  }).pipe(Effect.provide(Sqlite.layer({ path: file })))
})

/** One letter of the sentence, in the file itself. */
const flip = (file: string) => {
  const bytes = readFileSync(file)
  const at = bytes.indexOf(mark)
  assert.isAbove(at, bytes.length / 10)
  assert.isBelow(at, (bytes.length * 9) / 10)
  bytes.writeUInt8(bytes.readUInt8(at + 4) ^ 1, at + 4)
  writeFileSync(file, bytes)
}

describe("sbx journal verify", () => {
  it.effect("tells an intact journal from one with a flipped byte", () =>
    Effect.gen(function* () {
      const file = path.join(directory(), "journal.sqlite")
      yield* write(file)
      const intact = yield* commandLine(["journal", "verify", file, "--json"])
      assert.strictEqual(intact.code, 0, intact.stderr)
      assert.deepInclude(JSON.parse(intact.stdout), { verdict: "intact", head: 60, problems: [] })
      flip(file)
      const broken = yield* commandLine(["journal", "verify", file])
      assert.strictEqual(broken.code, 1)
      assert.include(broken.stdout, `broken ${file}`)
      assert.match(broken.stdout, /commit 31: /)
    })
  )

  it.effect("names the file that is not there", () =>
    Effect.gen(function* () {
      const file = path.join(directory(), "none.sqlite")
      const ended = yield* commandLine(["journal", "verify", file])
      assert.strictEqual(ended.code, 3)
      assert.include(ended.stderr, file)
      assert.strictEqual((yield* commandLine(["journal", "verify", "run_none"])).code, 2)
    })
  )
})
