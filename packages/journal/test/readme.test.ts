import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { startChild, temporaryDirectory } from "./child.ts"

describe("README.md", () => {
  it.live("shows an example that runs and prints what it says, twice", () =>
    Effect.gen(function* () {
      const source = path.join(import.meta.dirname, "fixtures", "readmeExample.ts")
      const readme = fs.readFileSync(path.join(import.meta.dirname, "..", "README.md"), "utf8")
      assert.include(readme, `\`\`\`ts\n${fs.readFileSync(source, "utf8")}\`\`\``)
      assert.isAtMost(readme.split("\n").length, 120)
      const directory = yield* temporaryDirectory
      for (const run of [1, 2]) {
        const child = yield* startChild("readmeExample.ts", [], { command: ["env", "-C", directory] })
        assert.strictEqual(yield* child.line(0), "1 { _tag: 'ProbeSent', to: 'db' }", `run ${run}`)
        assert.strictEqual((yield* child.exit).code, 0)
      }
    })
  )
})
