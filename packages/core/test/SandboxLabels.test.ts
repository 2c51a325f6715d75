import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as SandboxId from "../src/SandboxId.ts"
import * as SandboxLabels from "../src/SandboxLabels.ts"

const labels: SandboxLabels.SandboxLabels = {
  journal: "jrn_abcdefgh23456789",
  journalPath: "/srv/.sbx/runs/r/journal.sqlite",
  run: "run_x",
  stream: "sandbox/sbx_aaaaaaaaaaaaaaaa",
  intent: 1,
  epoch: 3,
  deadline: 1_700_000_000_000.5,
  owner: "b/1/2/3",
  kind: "sandbox"
}

describe("labels", () => {
  it("are text under our keys, and read back the same", () => {
    const encoded = SandboxLabels.encode(labels)
    assert.deepStrictEqual(Object.keys(encoded).sort(), Object.values(SandboxLabels.keys).sort())
    for (const value of Object.values(encoded)) assert.strictEqual(typeof value, "string")
    assert.deepStrictEqual(SandboxLabels.decode({ ...encoded, other: "x" }), Option.some(labels))
  })

  it("are not ours when one is missing or malformed", () => {
    const encoded = SandboxLabels.encode(labels)
    assert.isTrue(Option.isNone(SandboxLabels.decode({})))
    assert.isTrue(Option.isNone(SandboxLabels.decode({ ...encoded, [SandboxLabels.keys.deadline]: "soon" })))
    assert.isTrue(Option.isNone(SandboxLabels.decode({ ...encoded, [SandboxLabels.keys.kind]: "toaster" })))
    const { [SandboxLabels.keys.owner]: _, ...ownerless } = encoded
    assert.isTrue(Option.isNone(SandboxLabels.decode(ownerless)))
  })

  it("name objects so that engines accept it and two attempts differ", () => {
    const name = SandboxLabels.objectName(labels.journal, "sbx_aaaaaaaaaaaaaaaa", 1)
    assert.strictEqual(name, "sbx-abcdefgh-sbx_aaaaaaaaaaaaaaaa-1")
    assert.match(name, /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)
    assert.notStrictEqual(name, SandboxLabels.objectName(labels.journal, "sbx_aaaaaaaaaaaaaaaa", 2))
    assert.strictEqual(SandboxLabels.volumeName(labels.journal, "sbx_a"), "sbx-abcdefgh-sbx_a-ws")
  })
})

describe("ids", () => {
  it.effect("have their form, differ, and replay from a seed", () =>
    Effect.gen(function* () {
      const many = yield* Effect.all(Array.from({ length: 200 }, () => SandboxId.make))
      assert.strictEqual(new Set(many).size, 200)
      for (const id of many) assert.isTrue(SandboxId.isSandboxId(id), id)
      assert.isFalse(SandboxId.isSandboxId("sbx_1"))
      const replayed = Random.withSeed(SandboxId.makeId("run"), "seed")
      const first = yield* replayed
      assert.match(first, /^run_[a-z2-7]{16}$/)
      assert.strictEqual(first, yield* replayed)
    })
  )
})
