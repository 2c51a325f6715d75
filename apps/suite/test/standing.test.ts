import { assert, describe, it } from "@effect/vitest"
import * as Standing from "../src/internal/standing.ts"
import { tellsOfKill } from "../src/scenarios/chaos/CrashRecovery.ts"

const one = { containers: 1, volumes: 1, images: 1 }
const empty = { containers: [], volumes: [], images: [] }

describe("a look at what stands", () => {
  it("that finds nothing where something lives is no control", () => {
    assert.isFalse(Standing.compare(empty, one).holds)
    assert.isTrue(Standing.compare({ containers: ["c"], volumes: ["v"], images: ["v"] }, one).holds)
    assert.isFalse(Standing.compare({ containers: ["c", "d"], volumes: ["v"], images: ["v"] }, one).holds)
  })

  it("names what is left, an image as well", () => {
    const { holds, facts } = Standing.compare({ ...empty, images: ["sbx-a-ws"] }, Standing.nothing)
    assert.isFalse(holds)
    assert.strictEqual(facts.actual, "0 containers, 0 volumes, 1 images: sbx-a-ws")
    assert.isTrue(Standing.compare(empty, Standing.nothing).holds)
  })
})

describe("a death by signal 9", () => {
  it("is not read out of any nine", () => {
    assert.isTrue(tellsOfKill("killed by signal 9"))
    for (const other of ["killed by signal 19", "error: exit code 9", "killed by signal 90", "completed"]) {
      assert.isFalse(tellsOfKill(other), other)
    }
  })
})
