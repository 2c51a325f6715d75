import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"

const read = (name: string) => fs.readFileSync(new URL(name, import.meta.url), "utf8")

describe("README", () => {
  it("shows the example that is run here", () => {
    const shown = /```ts\n(.*?)```/s.exec(read("../README.md"))?.[1]
    assert.strictEqual(shown, read("./example.test.ts"))
  })
})
