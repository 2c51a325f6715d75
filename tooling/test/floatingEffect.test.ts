import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"

const root = path.join(import.meta.dirname, "..")

describe("the typecheck", () => {
  it("reports an effect that is never yielded, and nothing else in that file", () => {
    const run = spawnSync("tsc", ["-p", "fixtures/floatingEffect"], { cwd: root, encoding: "utf8" })
    assert.isUndefined(run.error)
    assert.match(run.stdout, /FloatingEffect\.ts\(5,3\): error TS\d+: .*effect\(floatingEffect\)/)
    assert.strictEqual(run.stdout.match(/error TS/g)?.length, 1)
    assert.notStrictEqual(run.status, 0)
  })
})
