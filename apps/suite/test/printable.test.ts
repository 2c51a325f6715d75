import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { printable } from "../src/internal/printable.ts"

describe("printable text", () => {
  it("loses escape sequences whole", () => {
    assert.strictEqual(printable("a\u001b[31;1mred\u001b[0m b"), "ared b")
    assert.strictEqual(printable("\u001b]0;a title\u0007x\u001b]8;;http://h\u001b\\link"), "xlink")
    assert.strictEqual(printable("\u001bcreset\u009b31mc1"), "reset31mc1")
    assert.strictEqual(printable("\r\u001b[2Kpass"), "pass")
  })

  it("keeps words, lines and tabs", () => {
    assert.strictEqual(printable("ä\t€\n😀"), "ä\t€\n😀")
  })

  it.prop("never holds a control character but tab and line feed", [Schema.String], ([text]) => {
    for (const character of printable(text)) {
      const code = character.codePointAt(0) ?? 0
      assert.isTrue(code === 9 || code === 10 || (code >= 32 && (code < 127 || code > 159)))
    }
  })
})
