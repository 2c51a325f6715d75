import { assert, describe, it } from "vitest"
import { check } from "../src/checks/forbiddenFiles.ts"
import { clean, manifest, places, plant } from "./plant.ts"

const withFile = (path: string, text = "// A thing.\n") =>
  places(check(plant({ "packages/core/package.json": manifest("core"), [path]: text })))

describe("forbiddenFiles", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  for (const path of [
    "packages/core/src/internal/utils.ts",
    "packages/core/src/internal/types.ts",
    "packages/core/src/internal/index.ts",
    "packages/core/test/utils.ts",
    "packages/core/src/errors/Broken.ts",
    "packages/core/src/services/Broken.ts",
    "packages/core/src/layers/Broken.ts",
    "packages/core/src/sandboxes.ts",
    "packages/core/src/internal/Helper.ts"
  ]) {
    it(`reports ${path}`, () => {
      assert.deepStrictEqual(withFile(path), [`${path}:1 file-name`])
    })
  }

  for (const path of [
    "packages/core/src/main.ts",
    "packages/core/src/faults/CpuStress.ts",
    "packages/core/src/internal/docker/errors.ts",
    "packages/core/vitest.config.ts",
    "packages/core/src/profile.json",
    "site/utils.ts"
  ]) {
    it(`accepts ${path}`, () => {
      assert.deepStrictEqual(withFile(path), [])
    })
  }

  it("reports a source without a header, and accepts one below a hashbang", () => {
    const path = "packages/core/src/A.ts"
    assert.deepStrictEqual(withFile(path, "export const a = 1\n"), [`${path}:1 file-header`])
    assert.deepStrictEqual(withFile(path, "#!/usr/bin/env node\n/** A. */\nexport const a = 1\n"), [])
  })

  it("reports a README above 120 lines", () => {
    assert.deepStrictEqual(withFile("packages/core/README.md", "a\n".repeat(120)), [])
    assert.deepStrictEqual(withFile("README.md", "a\n".repeat(121)), ["README.md:1 size"])
  })
})
