import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

describe("the README", () => {
  it("shows code only that stands in an example, which CI runs", () => {
    const examples = readdirSync(`${root}examples`)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(`${root}examples/${name}`, "utf8"))
    const snippets = [...readFileSync(`${root}README.md`, "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map(
      ([, code]) => code ?? ""
    )
    assert.isNotEmpty(snippets)
    for (const snippet of snippets) {
      assert.isTrue(
        examples.some((example) => example.includes(snippet)),
        snippet
      )
    }
  })
})
