import { existsSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { RunReport } from "@sbx/core/RunReport"
import * as Schema from "effect/Schema"
import { RunJson } from "../src/reporting/RunJson.ts"
import { directory, run } from "./support/commandLine.ts"
import { env, hang, passes, scenario } from "./support/realEngine.ts"

const decodeReport = Schema.decodeSync(Schema.fromJsonString(RunReport))
const decodeRun = Schema.decodeSync(Schema.fromJsonString(RunJson))

/** What a run under the variables came to. Bad values are refused in Cli.test.ts. */
const under = async (variables: Readonly<Record<string, string>>, args: ReadonlyArray<string>, cwd = directory()) => {
  const ended = await run(["run", "--json", ...args], { cwd, env: { ...env(), ...variables } })
  return { code: ended.code, stderr: ended.stderr, scenarios: decodeRun(ended.stdout).scenarios }
}

describe("a variable of the environment", () => {
  it("INTEGRATION_TEST_TIMEOUT ends a scenario that names no time", async () => {
    const cwd = directory()
    const file = scenario(cwd, "hang", hang, "{ timeout: undefined }")
    const { code, scenarios } = await under({ INTEGRATION_TEST_TIMEOUT: "3s" }, [file], cwd)
    assert.strictEqual(code, 1)
    assert.match(scenarios[0]?.reason ?? "", /still running after 3000 ms/)
  })

  it("MAX_CONCURRENT_SANDBOXES too small leaves a scenario that needs more unjudged", async () => {
    const { code, scenarios } = await under({ MAX_CONCURRENT_SANDBOXES: "4" }, ["orchestration/concurrent-creation"])
    assert.strictEqual(code, 3)
    const reason = "needs 5 sandboxes at once; MAX_CONCURRENT_SANDBOXES is 4"
    assert.deepInclude(scenarios[0], { verdict: "unknown", reason })
    const enough = await under({ MAX_CONCURRENT_SANDBOXES: "5" }, ["orchestration/concurrent-creation"])
    assert.deepStrictEqual([enough.code, enough.scenarios[0]?.verdict], [0, "pass"], enough.scenarios[0]?.reason)
  })

  it("MAX_CONCURRENT_SANDBOXES makes the next sandbox wait", async () => {
    const cwd = directory()
    const second = `  yield* (yield* Sandboxes).make({ image: sandbox.spec.image }).pipe(
    Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => context.unknown("it waited") }))
${passes}`
    const file = scenario(cwd, "second", second)
    const held = await under({ MAX_CONCURRENT_SANDBOXES: "1" }, [file], cwd)
    assert.strictEqual(held.scenarios[0]?.reason, "it waited")
    const free = await under({ MAX_CONCURRENT_SANDBOXES: "2" }, [file], cwd)
    assert.strictEqual(free.code, 0, free.stderr)
  })

  it("SKIP_LONG_RUNNING_TESTS leaves out long scenarios, and --bail goes on", async () => {
    const cwd = directory()
    const files = [scenario(cwd, "long", passes, "{ long: true }"), scenario(cwd, "short", passes)]
    const left = await under({ SKIP_LONG_RUNNING_TESTS: "true" }, ["--bail", ...files], cwd)
    assert.strictEqual(left.code, 0, left.stderr)
    assert.deepStrictEqual(
      left.scenarios.map(({ verdict, reason }) => [verdict, reason]),
      [
        ["unknown", "skipped: it takes more than 5 minutes and SKIP_LONG_RUNNING_TESTS is true"],
        ["pass", undefined]
      ]
    )
    assert.match(readFileSync(path.join(cwd, ".sbx/runs/last/junit.xml"), "utf8"), /errors="0" skipped="1"/)
    const all = await under({ SKIP_LONG_RUNNING_TESTS: "false" }, files, cwd)
    assert.deepStrictEqual(
      all.scenarios.map(({ verdict }) => verdict),
      ["pass", "pass"]
    )
  })

  it("ENABLE_CHAOS_TESTING and ENABLE_RESOURCE_MONITORING each leave out their category, which passes nothing", async () => {
    const cwd = directory()
    const variables = { ENABLE_CHAOS_TESTING: "false", ENABLE_RESOURCE_MONITORING: "false" }
    const ended = await run(["run", "chaos", "monitor"], { cwd, env: { ...env(), ...variables } })
    assert.strictEqual(ended.code, 3, ended.stderr)
    const { scenarios } = decodeReport(readFileSync(path.join(cwd, ".sbx/runs/last/report.json"), "utf8"))
    for (const [name, category] of [
      ["ENABLE_CHAOS_TESTING", "chaos"],
      ["ENABLE_RESOURCE_MONITORING", "monitor"]
    ] as const) {
      const left = scenarios.filter((one) => one.name.startsWith(`${category}/`))
      assert.isNotEmpty(left)
      for (const one of left) assert.deepInclude(one, { status: "skipped", reason: `${name} is false` })
      assert.match(ended.stdout, new RegExp(`skip +${category}/.*\\n +${name} is false`))
    }
  })

  it("INTEGRATION_LOG_LEVEL chooses what is logged", async () => {
    const cwd = directory()
    const file = scenario(
      cwd,
      "logs",
      `  yield* Effect.logInfo("an info"); yield* Effect.logError("an error")\n${passes}`
    )
    const logged = async (level: string) => {
      const { code, stderr } = await under({ INTEGRATION_LOG_LEVEL: level }, [file], cwd)
      assert.strictEqual(code, 0, stderr)
      const log = path.join(cwd, ".sbx/runs/last/run.log")
      const text = existsSync(log) ? readFileSync(log, "utf8") : ""
      return [text.includes("an info"), text.includes("an error")]
    }
    assert.deepStrictEqual(await logged("info"), [true, true])
    assert.deepStrictEqual(await logged("error"), [false, true])
    assert.deepStrictEqual(await logged("none"), [false, false])
  })
})
