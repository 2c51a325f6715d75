/** Plants a repository in a temporary folder, gone when the test ends, and reads it. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { onTestFinished } from "vitest"
import type { Finding } from "../src/Finding.ts"
import type { Repository } from "../src/Repository.ts"
import { load } from "../src/Repository.ts"

export type Files = Readonly<Record<string, string | object>>

/** Writes the files (objects as JSON) and gives the folder. */
export const plantAt = (files: Files): string => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-tooling-"))
  onTestFinished(() => fs.rmSync(root, { recursive: true }))
  for (const [name, content] of Object.entries(files)) {
    const target = path.join(root, name)
    fs.mkdirSync(path.dirname(target), { recursive: true })
    fs.writeFileSync(target, typeof content === "string" ? content : JSON.stringify(content))
  }
  return root
}

export const plant = (files: Files): Repository => load(plantAt(files))

/** `path:line rule`, for comparing where and not how it is said. */
export const places = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> =>
  findings.map(({ path, line, rule }) => `${path}:${line} ${rule}`)

/** A package.json. */
export const manifest = (
  name: string,
  dependencies: ReadonlyArray<string> = [],
  devDependencies: ReadonlyArray<string> = []
): object => ({
  name: `@sbx/${name}`,
  license: "MIT",
  engines: { node: ">=24" },
  scripts: { test: "vitest run" },
  dependencies: Object.fromEntries(dependencies.map((one) => [one, "1"])),
  devDependencies: Object.fromEntries(devDependencies.map((one) => [one, "1"]))
})

/** A small repository in which nothing is wrong. */
export const clean: Files = {
  "packages/journal/package.json": manifest("journal", ["effect"], ["vitest"]),
  "packages/journal/src/Journal.ts":
    '/** Keeps events. */\nimport * as Effect from "effect/Effect"\nexport const layer = Effect.void\n',
  "packages/journal/test/Journal.test.ts":
    'import { it } from "vitest"\nimport { layer } from "../src/Journal.ts"\nit("keeps order", () => layer)\n',
  "packages/journal/README.md": "# journal\n",
  "packages/journal/LICENSE": "MIT\n",
  "packages/core/package.json": manifest("core", ["@sbx/journal", "effect"]),
  "packages/core/README.md": "# core\n",
  "packages/core/LICENSE": "MIT\n",
  "packages/core/src/internal/helper.ts":
    '/** Helps. */\nimport { layer } from "@sbx/journal/Journal"\nexport const it = layer\n',
  "README.md": "# A repository\n"
}
