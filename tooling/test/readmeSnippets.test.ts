import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it, onTestFinished } from "vitest"

const root = path.join(import.meta.dirname, "../..")
const read = (name: string) => fs.readFileSync(path.join(root, name), "utf8")
const snippets = (markdown: string) => [...markdown.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? "")

const folders = ["packages", "apps"].flatMap((group) =>
  fs.readdirSync(path.join(root, group)).map((name) => `${group}/${name}`)
)

/** Every `ts` block of every package's README, as a module of its own. */
const modules = folders.flatMap((folder) =>
  snippets(read(`${folder}/README.md`)).map((code, index) => ({
    name: `${folder.replace("/", "-")}-${index + 1}.ts`,
    code
  }))
)

/** What a user of all packages has installed. */
const paths = {
  ...Object.fromEntries(
    folders.map((folder) => [`@sbx/${path.basename(folder)}/*`, [path.join(root, folder, "src/*.ts")]])
  ),
  "@effect/vitest": [path.join(root, "packages/core/node_modules/@effect/vitest/dist/index.d.ts")]
}

/** The compiler's complaints about modules that a reader would write; empty when there are none. */
const complaints = (files: ReadonlyArray<{ readonly name: string; readonly code: string }>): string => {
  fs.mkdirSync(path.join(root, "tooling/.tmp"), { recursive: true })
  const folder = fs.mkdtempSync(path.join(root, "tooling/.tmp/snippets-"))
  onTestFinished(() => fs.rmSync(folder, { recursive: true }))
  for (const { name, code } of files) fs.writeFileSync(path.join(folder, name), code)
  const settings = {
    extends: path.join(root, "tsconfig.base.json"),
    compilerOptions: { paths, noUnusedLocals: false },
    include: ["*.ts"]
  }
  fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(settings))
  const run = spawnSync(path.join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], {
    encoding: "utf8"
  })
  return run.status === 0 ? "" : run.stdout + run.stderr
}

describe("the README", () => {
  it("shows code only that stands in an example, which CI runs", () => {
    const examples = fs
      .readdirSync(path.join(root, "examples"))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read(`examples/${name}`))
    const shown = snippets(read("README.md"))
    assert.isNotEmpty(shown)
    for (const snippet of shown) {
      assert.isTrue(
        examples.some((example) => example.includes(snippet)),
        snippet
      )
    }
  })
})

describe("a package's README", () => {
  it("shows an example of at most 15 lines", () => {
    for (const folder of folders) {
      const [first] = snippets(read(`${folder}/README.md`))
      assert.isDefined(first, `${folder} shows none`)
      const lines = first?.split("\n").filter((line) => line.trim() !== "").length ?? 0
      assert.isAtMost(lines, 15, folder)
    }
  })

  it("shows code that typechecks as it stands", { timeout: 120_000 }, () => {
    assert.isAtLeast(modules.length, folders.length)
    assert.strictEqual(complaints(modules), "")
  })

  it("is judged by a compiler that knows the packages and un-yielded effects", { timeout: 120_000 }, () => {
    const wrong = [
      { name: "a.ts", code: 'import { nothing } from "@sbx/core/Verdict"\nexport default nothing\n' },
      { name: "b.ts", code: 'import { Effect } from "effect"\nEffect.log("x")\n' }
    ]
    const found = complaints(wrong)
    assert.match(found, /a\.ts\(1,10\): error/)
    assert.match(found, /b\.ts\(2,1\): error/)
  })
})
