/** The parser is total, believes only lines with the nonce, and round-trips what a vehicle prints. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { parse } from "../src/ProbeOutput.ts"

const nonce = "0123456789abcdef0123456789abcdef"
const say = (...lines: ReadonlyArray<string>) => lines.map((line) => `${nonce} ${line}\n`).join("")

const Tag = Schema.Literals(["t", "end", "ok", "no", "msg", "done", "?"])
const Noise = Schema.Array(Schema.Tuple([Schema.Union([Schema.Int, Schema.Literal("-")]), Tag, Schema.String]))
const Line = Schema.String.check(Schema.isPattern(/^[\x20-\x7e\t]*$/))

describe("parse", () => {
  it("reads values, refusals, messages and texts", () => {
    const { answers, finished } = parse(
      say("0 ok 7", "1 no 1", "2 msg sh: x: Read-only file system", "3 t a  b", "3 t ", "3 end all", "- done 4"),
      nonce
    )
    assert.strictEqual(finished, 4)
    assert.deepStrictEqual(
      [...answers],
      [
        [0, { _tag: "Done", value: 7 }],
        [1, { _tag: "Refused", errno: 1 }],
        [2, { _tag: "Refused", errno: 30 }],
        [3, { _tag: "Text", lines: ["a  b", ""], complete: true }]
      ]
    )
  })

  it("gives no answer for what was answered twice, cut off or unknown", () => {
    const { answers } = parse(say("0 no 1", "0 no 1", "1 t half", "2 msg applet not found"), nonce)
    for (const index of [0, 1, 2]) assert.strictEqual(answers.get(index)?._tag, "Unanswered")
  })

  it("ignores lines without the nonce, malformed ones, and errnos that do not exist", () => {
    const { answers, finished } = parse(
      `0 ok 0\n${"f".repeat(32)} 0 ok 0\n${say("x ok 1", "-1 ok 1", "0 no 0", "0 no 99999", "0 ok NaN", "- done many")}`,
      nonce
    )
    assert.strictEqual(answers.size, 0)
    assert.isUndefined(finished)
  })

  it("marks a reading that was cut", () => {
    assert.deepStrictEqual(parse(say("0 t a", "0 end cut"), nonce).answers.get(0), {
      _tag: "Text",
      lines: ["a"],
      complete: false
    })
  })

  it.effect.prop("answers any text without failing", [Schema.String, Noise], ([text, noise]) =>
    Effect.sync(() => {
      const { answers } = parse(text + say(...noise.map((words) => words.join(" "))), nonce)
      for (const index of answers.keys()) assert.isTrue(Number.isInteger(index) && index >= 0)
    })
  )

  it.effect.prop("gives back every line that a vehicle prints", [Schema.Array(Line)], ([lines]) =>
    Effect.sync(() => {
      const printed = say(...lines.map((line) => `0 t ${line}`), "0 end all", "- done 1")
      assert.deepStrictEqual(parse(printed, nonce).answers.get(0), { _tag: "Text", lines: [...lines], complete: true })
    })
  )
})
