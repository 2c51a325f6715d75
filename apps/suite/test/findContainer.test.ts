import { assert, describe, it } from "@effect/vitest"
import type { ContainerSummary } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { findContainer } from "../src/internal/findContainer.ts"

const container = (id: string, name: string): ContainerSummary => ({
  id,
  name,
  image: "i",
  labels: {},
  status: "running",
  createdAtMillis: 0
})
const all = [
  container("abc123", "web"),
  container("abd456", "db"),
  container("feed00", "abc123"),
  container("web999", "x")
]
const find = (text: string) => findContainer(all, text, "unix:///e.sock")

describe("a container", () => {
  it.effect.each([
    ["its name", "db", "abd456"],
    ["its name, before the beginning of an id", "web", "abc123"],
    ["its name, before the id of another", "abc123", "feed00"],
    ["its id", "feed00", "feed00"],
    ["the beginning of its id", "abd", "abd456"]
  ] as const)("is found by %s", ([_what, text, id]) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* find(text)).id, id)
    })
  )

  it.effect("is refused where an id begins so twice", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(find("ab"))
      assert.strictEqual(
        error.message,
        'Could not choose the container "ab": 2 ids begin so.\nGive more of the id, or a name: web, db.'
      )
    })
  )

  it.effect("is unknown by another name, with the nearest", () =>
    Effect.gen(function* () {
      const near = yield* Effect.flip(find("webb"))
      assert.strictEqual(near.message, 'Could not find the container "webb" on unix:///e.sock.\nNearest: web.')
      const far = yield* Effect.flip(find("something-else"))
      assert.include(far.message, "None of its 4 containers is called alike.")
      const nothing = yield* Effect.flip(findContainer([], "web", "unix:///e.sock"))
      assert.include(nothing.message, "It has no containers")
      assert.strictEqual((yield* Effect.flip(find("")))._tag, "UnknownContainer")
    })
  )
})
