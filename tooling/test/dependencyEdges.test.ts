import { assert, describe, it } from "vitest"
import { check } from "../src/checks/dependencyEdges.ts"
import { clean, manifest, places, plant } from "./plant.ts"

const importing = (from: string, specifier: string, name = "chaos", declared: ReadonlyArray<string> = []) =>
  check(
    plant({
      [`packages/${name}/package.json`]: manifest(name, declared),
      [`packages/${name}/${from}`]: `// Something.\nimport * as X from "${specifier}"\nexport { X }\n`
    })
  )

describe("dependencyEdges", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  it("reports a sideways edge, declared and imported", () => {
    const findings = importing("src/A.ts", "@sbx/monitor/Sample", "chaos", ["@sbx/monitor"])
    assert.deepStrictEqual(places(findings), [
      "packages/chaos/package.json:1 dependency-edge",
      "packages/chaos/src/A.ts:2 dependency-edge"
    ])
    assert.strictEqual(findings[1]?.message, "@sbx/chaos may not import @sbx/monitor")
  })

  it("reports an upward edge, and one among the development dependencies", () => {
    const files = {
      "packages/journal/package.json": manifest("journal", ["@sbx/core"]),
      "packages/data/package.json": manifest("data", [], ["@sbx/core"]),
      "packages/core/package.json": manifest("core")
    }
    assert.deepStrictEqual(places(check(plant(files))), [
      "packages/data/package.json:1 dependency-edge",
      "packages/journal/package.json:1 dependency-edge"
    ])
  })

  it("allows the simulation to tests and not to sources", () => {
    const files = {
      "packages/sim/package.json": manifest("sim", ["@sbx/engine"]),
      "packages/core/package.json": manifest("core", [], ["@sbx/sim"]),
      "packages/core/test/A.test.ts": 'import "@sbx/sim/World"\n',
      "packages/core/src/A.ts": '// A.\nimport "@sbx/sim/World"\n',
      "packages/engine/package.json": manifest("engine", ["@sbx/sim"])
    }
    assert.deepStrictEqual(
      check(plant(files))
        .map((finding) => `${finding.path} ${finding.message}`)
        .filter((line) => !line.includes("cycle")),
      [
        "packages/engine/package.json @sbx/engine may not depend on @sbx/sim",
        "packages/core/src/A.ts @sbx/core may not import @sbx/sim"
      ]
    )
  })

  it("reports an undeclared import, and a shipped one declared for development only", () => {
    assert.include(importing("src/A.ts", "left-pad")[0]?.message, "left-pad is not declared")
    assert.include(importing("test/A.test.ts", "vitest")[0]?.message, "vitest is not declared")
    const files = {
      "packages/data/package.json": manifest("data", [], ["vitest"]),
      "packages/data/src/A.ts": '// A.\nimport "vitest"\n',
      "packages/data/test/A.test.ts": 'import "vitest"\n'
    }
    assert.deepStrictEqual(places(check(plant(files))), ["packages/data/src/A.ts:2 dependency-edge"])
  })

  for (const specifier of [
    "../../core/src/Sandbox.ts",
    "../../../packages/core/src/Sandbox.ts",
    "../../../README.ts"
  ]) {
    it(`reports ${specifier}`, () => {
      assert.include(importing("src/A.ts", specifier)[0]?.message, "leaves the package")
    })
  }

  it("reports a relative import without an ending, and allows the shared configuration", () => {
    assert.include(importing("src/A.ts", "./B")[0]?.message, "lacks its ending")
    assert.include(importing("src/A.ts", "/tmp/B.ts")[0]?.message, "is an absolute path")
    assert.deepStrictEqual(importing("vitest.config.ts", "../../vitest.shared.ts"), [])
    assert.deepStrictEqual(importing("src/A.ts", "node:fs"), [])
  })

  it("confines the adapters' libraries", () => {
    assert.include(importing("src/A.ts", "dockerode", "core", ["dockerode"])[0]?.message, "packages/engine/")
    assert.include(importing("src/A.ts", "systeminformation", "core", ["systeminformation"])[0]?.message, "monitor")
    assert.deepStrictEqual(importing("src/A.ts", "dockerode", "engine", ["dockerode"]), [])
    assert.deepStrictEqual(importing("src/A.ts", "systeminformation", "monitor", ["systeminformation"]), [])
    const bench = {
      "apps/suite/package.json": manifest("suite", ["dockerode"]),
      "apps/suite/src/bench/Competitor.ts": '// B.\nimport "dockerode"\n',
      "apps/suite/src/Other.ts": '// O.\nimport "dockerode"\n'
    }
    assert.deepStrictEqual(places(check(plant(bench))), ["apps/suite/src/Other.ts:2 dependency-edge"])
  })

  it("sees every way to name a module", () => {
    const ways = [
      'import "@sbx/chaos/A"',
      'export * from "@sbx/chaos/A"',
      'export { a } from "@sbx/chaos/A"',
      'import type { A } from "@sbx/chaos/A"',
      'export const a = () => import("@sbx/chaos/A")',
      'export type B = import("@sbx/chaos/A").A'
    ]
    const files = {
      "packages/data/package.json": manifest("data"),
      "packages/data/src/A.ts": `${ways.join("\n")}\n`
    }
    assert.deepStrictEqual(
      check(plant(files)).map((finding) => finding.line),
      [1, 2, 3, 4, 5, 6]
    )
  })

  it("reports modules of older effects", () => {
    const findings = importing("src/A.ts", "effect/unstable/http", "chaos", ["effect"])
    assert.include(findings[0]?.message, "no effect/unstable")
  })

  it("reports a cycle once, and a package without a place", () => {
    const files = {
      "packages/core/package.json": manifest("core", ["@sbx/engine"]),
      "packages/engine/package.json": manifest("engine", [], ["@sbx/core"]),
      "packages/extra/package.json": manifest("extra")
    }
    const messages = check(plant(files)).map((finding) => finding.message)
    assert.deepStrictEqual(messages, [
      "@sbx/engine may not depend on @sbx/core",
      "@sbx/extra has no place in the table of edges",
      "cycle: @sbx/core → @sbx/engine → @sbx/core"
    ])
  })
})
