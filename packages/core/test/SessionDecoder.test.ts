import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as SessionDecoder from "../src/internal/sessionDecoder.ts"

const nonce = "abcabdabcabe"

const decode = (stream: Uint8Array, cuts: ReadonlyArray<number>) => {
  const decoder = SessionDecoder.make(nonce)
  const parts: Array<Uint8Array> = []
  let from = 0
  for (const cut of [...cuts, stream.length].toSorted((a, b) => a - b)) {
    const to = Math.min(cut, stream.length)
    decoder.feed(stream.subarray(from, to), (bytes) => parts.push(Uint8Array.from(bytes)))
    from = to
  }
  return { output: Buffer.concat(parts).toString("latin1"), end: decoder.end() }
}

const latin1 = (bytes: ReadonlyArray<number>) => Buffer.from(bytes).toString("latin1")

/** Bytes, and pieces that look like the beginning of a frame. */
const Piece = Schema.Union([
  Schema.Literals([nonce.slice(0, 3), nonce.slice(0, 11), `${nonce}x`, `${nonce}-`, "\0", ".", "-0.", "\r\n\xff"]),
  Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
])

describe("the session decoder", () => {
  it.prop(
    "gives the output up to the end frame, however the stream is cut",
    [
      Schema.Array(Piece),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })),
      Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 })))
    ],
    ([pieces, code, cuts]) => {
      const output = pieces.map((piece) => (typeof piece === "string" ? piece : latin1(piece))).join("")
      // What happens to be a frame is one, wherever it comes from.
      if (/abcabdabcabe[?-][a-z0-9]{0,20}\./.test(`${output}${nonce}`)) return
      const stream = Buffer.from(`${output}${nonce}-${code}.later`, "latin1")
      const expected = { output, end: { kind: "exit" as const, text: String(code) } }
      assert.deepStrictEqual(decode(stream, cuts), expected)
      assert.deepStrictEqual(
        decode(
          stream,
          Array.from(stream, (_, index) => index)
        ),
        expected
      )
    }
  )

  it("tells a refusal, and no end while there is none", () => {
    assert.deepStrictEqual(decode(Buffer.from(`${nonce}?missing.`), []), {
      output: "",
      end: { kind: "refusal" as const, text: "missing" }
    })
    assert.isUndefined(decode(Buffer.from(`x${nonce}-0`), []).end)
    assert.strictEqual(decode(Buffer.from(`x${nonce}!0.y`), []).end, undefined)
  })
})
