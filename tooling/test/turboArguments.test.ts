import { assert, describe, it } from "vitest"
import { runsTests, turboArguments } from "../src/turboArguments.ts"

const words = (line: string) => turboArguments(line.split(" ")).join(" ")

describe("turboArguments", () => {
  it("lets packages take turns when tests run", () => {
    assert.strictEqual(words("test"), "test --concurrency=1")
    assert.strictEqual(words("run @sbx/core#test"), "run @sbx/core#test --concurrency=1")
  })

  it("parts no flag from its value", () => {
    assert.strictEqual(words("--filter core test"), "--filter core test --concurrency=1")
    assert.strictEqual(words("test --filter core"), "test --filter core --concurrency=1")
  })

  it("leaves the task's own arguments alone", () => {
    assert.strictEqual(words("test -- --concurrency=4 -t x"), "test --concurrency=1 -- --concurrency=4 -t x")
    assert.strictEqual(words("build -- test"), "build -- test")
    assert.isFalse(runsTests(["build", "--", "test"]))
  })

  it("keeps what the user says, and other tasks as they are", () => {
    assert.strictEqual(words("test --concurrency=4"), "test --concurrency=4")
    assert.strictEqual(words("test --concurrency 4"), "test --concurrency 4")
    assert.strictEqual(words("lint typecheck"), "lint typecheck")
  })
})
