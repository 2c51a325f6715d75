import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"

const sources = fileURLToPath(new URL("../src", import.meta.url))

/** The code inside a sandbox can forge what a session says; an exec's exit code comes from the engine. */
const forgeable = /core\/ExecSession|internal\/session/

describe("boundary checks", () => {
  it("import nothing that the code inside can forge", () => {
    const files = fs.readdirSync(sources, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))
    assert.isAbove(files.length, 20)
    const guilty = files.filter((name) => forgeable.test(fs.readFileSync(`${sources}/${name}`, "utf8")))
    assert.deepStrictEqual(guilty, [])
    assert.match('import * as ExecSession from "@sbx/core/ExecSession"', forgeable)
  })
})
