import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Digest from "effect/crypto/Digest"
import * as Checksum from "../src/Checksum.ts"

describe("Checksum", () => {
  it("gives the examples of FIPS 180-4 and of the empty message", () => {
    assert.strictEqual(Checksum.ofText("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert.strictEqual(
      Checksum.ofText("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    )
    assert.strictEqual(Checksum.ofText(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  })

  it.effect("agrees with WebCrypto at every length around the block borders", () =>
    Effect.gen(function* () {
      const { digestHex } = yield* Digest.Digest
      for (let length = 0; length <= 260; length++) {
        const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff)
        assert.strictEqual(Checksum.ofBytes(bytes), yield* digestHex(Digest.sha256, bytes))
      }
    }).pipe(Effect.provide(Digest.layerWebCrypto))
  )

  it.effect.prop("does not depend on how a stream is cut", { parts: Schema.Array(Schema.Uint8Array) }, ({ parts }) =>
    Effect.gen(function* () {
      const whole = Uint8Array.from(parts.flatMap((part) => [...part]))
      const streamed = yield* Checksum.ofStream(Stream.fromIterable(parts))
      assert.strictEqual(streamed, Checksum.ofBytes(whole))
    })
  )
})
