import { existsSync, readFileSync, readlinkSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { RunReport } from "@sbx/core/RunReport"
import { RecordedJson } from "@sbx/journal/Journal"
import * as Schema from "effect/Schema"
import { RunJson } from "../src/reporting/RunJson.ts"
import { directory, run, start } from "./support/commandLine.ts"
import { env, hang, hanging, objectsOf, scenario } from "./support/realEngine.ts"

const decodeRun = Schema.decodeSync(Schema.fromJsonString(RunJson))
const decodeReport = Schema.decodeSync(Schema.fromJsonString(RunReport))
const decodeEvent = Schema.decodeSync(Schema.fromJsonString(RecordedJson))

const lastOf = (cwd: string, file: string) => readFileSync(path.join(cwd, ".sbx/runs/last", file), "utf8")
const answers = `  const said = yield* sandbox.exec(["echo", "hello"])
  yield* context.evidence("said", said.stdout)
  yield* context.check("it answers", said.stdout === "hello\\n")`

/** Typed and contiguous, all of them or those of some types. */
const replays = async (cwd: string) => {
  const [all, some] = await Promise.all([
    run(["events", "--json"], { cwd }),
    run(["events", "--type", "Created", "--type", "Removed"], { cwd })
  ])
  const events = all.stdout
    .trimEnd()
    .split("\n")
    .map((line) => decodeEvent(line))
  assert.deepStrictEqual(
    events.map(({ position }) => position),
    events.map((_, index) => index + 1)
  )
  const types = events.map(({ type }) => type)
  for (const type of ["RunStarted", "CreateIntended", "Created", "ExecExited", "Removed", "RunFinished"]) {
    assert.include(types, type)
  }
  assert.lengthOf(some.stdout.trimEnd().split("\n"), 2)
  assert.match(some.stdout, /^ +\d+ \d\d:\d\d:\d\d\.\d{3} sandbox\/sbx_\w+ Created containerId=/)
}

describe("a run", () => {
  it("of a file outside the repository passes, leaves its evidence and replays as events, typed and contiguous", async () => {
    const cwd = directory()
    const file = scenario(cwd, "hello", answers)
    const ended = await run(["run", "--json", "--seed", "77", file], { cwd, env: env() })
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.lengthOf(ended.stdout.trimEnd().split("\n"), 1)
    const said = decodeRun(ended.stdout)
    assert.deepInclude(said, { verdict: "pass" })
    assert.deepStrictEqual(
      said.scenarios.map(({ name, verdict }) => [name, verdict]),
      [["mine/hello", "pass"]]
    )
    assert.strictEqual(readlinkSync(path.join(cwd, ".sbx/runs/last")), said.runId)
    const report = decodeReport(lastOf(cwd, "report.json"))
    assert.deepInclude(report, { version: 1, runId: said.runId, seed: "77", interrupted: false })
    assert.deepStrictEqual(report.scenarios[0]?.evidence, { said: "hello\n" })
    assert.include(lastOf(cwd, "junit.xml"), 'tests="1" failures="0" errors="0"')
    assert.match(lastOf(cwd, "summary.md"), /^# pass: 1 scenario: 1 passed/)
    // Sampled from its start: one picture at the least, of this sandbox.
    const page = lastOf(cwd, "report.html")
    assert.match(page, /<h3>sbx_\w+<\/h3>/)
    assert.match(page, /<title id="series-\w+-memoryBytes-title">/)
    assert.isFalse(existsSync(path.join(cwd, ".sbx/runs", said.runId, "probe")))
    assert.deepStrictEqual(await objectsOf(said.runId), [])
    await replays(cwd)
  })

  it("that fails says why and exits 1; one that could not be judged exits 3", async () => {
    const cwd = directory()
    const fails = scenario(
      cwd,
      "fails",
      '  yield* context.check("two is three", false, { expected: "3", actual: "2" })'
    )
    const unknown = scenario(cwd, "unknown", '  yield* context.unknown("no probe")')
    const failed = await run(["run", fails, unknown], { cwd, env: env() })
    assert.strictEqual(failed.code, 1)
    assert.include(failed.stdout, "two is three: expected 3, found 2")
    assert.match(failed.stdout, /2 scenarios: 0 passed, 1 failed, 1 unknown in /)
    const unsure = await run(["run", "--json", unknown], { cwd, env: env() })
    assert.strictEqual(unsure.code, 3)
    assert.deepInclude(decodeRun(unsure.stdout).scenarios[0], { verdict: "unknown", reason: "no probe" })
  })

  it("stops at the first scenario that does not pass when it is told to", async () => {
    const cwd = directory()
    const fails = scenario(cwd, "fails", '  yield* context.check("no", false)')
    const ended = await run(["run", "--bail", "--json", fails, scenario(cwd, "hang", hang)], { cwd, env: env() })
    assert.strictEqual(ended.code, 1, ended.stderr)
    const said = decodeRun(ended.stdout)
    assert.deepStrictEqual(
      said.scenarios.map(({ verdict }) => verdict),
      ["fail", "unknown"]
    )
    assert.deepStrictEqual(await objectsOf(said.runId), [])
  })

  it("goes on to its end and cleans up when nobody reads its output", async () => {
    const cwd = directory()
    const started = start(["run", scenario(cwd, "hello", answers)], { cwd, env: env() })
    started.child.stdout?.destroy()
    const ended = await started.ended
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.strictEqual(decodeReport(lastOf(cwd, "report.json")).verdict._tag, "pass")
  })

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`interrupted by ${signal}, and again, removes everything and says so`, async () => {
      const cwd = directory()
      const started = start(["run", "--json", scenario(cwd, "hang", hang)], { cwd, env: env() })
      await started.says(hanging)
      started.child.kill(signal)
      await started.says("cleaning up")
      started.child.kill(signal)
      const ended = await started.ended
      assert.deepInclude(ended, { code: 130, signal: null }, ended.stderr)
      const said = decodeRun(ended.stdout)
      assert.deepInclude(said, { verdict: "unknown" })
      const report = decodeReport(lastOf(cwd, "report.json"))
      assert.isTrue(report.interrupted)
      assert.include(lastOf(cwd, "summary.md"), "**interrupted**")
      const events = await run(["events", "--type", "RunInterrupted"], { cwd })
      assert.include(events.stdout, "RunInterrupted")
      assert.deepStrictEqual(await objectsOf(said.runId), [])
    })
  }

  it("that lives is left alone by reap", async () => {
    const cwd = directory()
    const started = start(["run", scenario(cwd, "hang", hang)], { cwd, env: env() })
    await started.says(hanging)
    const runId = readlinkSync(path.join(cwd, ".sbx/runs/last"))
    const before = await objectsOf(runId)
    assert.isNotEmpty(before)
    await run(["reap"], { cwd, env: env() })
    assert.deepStrictEqual(await objectsOf(runId), before)
    started.child.kill("SIGINT")
    assert.strictEqual((await started.ended).code, 130)
  })

  it("interrupted with its whole process group, as by Ctrl-C, removes everything", async () => {
    const cwd = directory()
    const started = start(["run", "--json", scenario(cwd, "hang", hang)], { cwd, env: env(), group: true })
    await started.says(hanging)
    const runId = readlinkSync(path.join(cwd, ".sbx/runs/last"))
    assert.isNotEmpty(await objectsOf(runId))
    const { pid } = started.child
    assert.isDefined(pid)
    process.kill(-pid, "SIGINT")
    const ended = await started.ended
    assert.deepInclude(ended, { code: 130, signal: null }, ended.stderr)
    assert.deepInclude(decodeRun(ended.stdout), { runId, verdict: "unknown" })
    assert.deepStrictEqual(await objectsOf(runId), [])
  })
})

describe("following the events", () => {
  it("shows them while the run writes them, until it is interrupted", async () => {
    const cwd = directory()
    const running = start(["run", scenario(cwd, "hang", hang)], { cwd, env: env() })
    await running.says(hanging)
    const following = start(["events", "--follow", "--json"], { cwd })
    const seen = new Promise<void>((resolve) => {
      let text = ""
      following.child.stdout?.on("data", (chunk: string) => {
        text += chunk
        if (text.includes('"RunInterrupted"')) resolve()
      })
    })
    await new Promise<void>((resolve) => following.child.stdout?.once("data", () => resolve()))
    running.child.kill("SIGINT")
    await running.ended
    await seen
    following.child.kill("SIGINT")
    const ended = await following.ended
    assert.strictEqual(ended.code, 130)
    const positions = ended.stdout
      .trimEnd()
      .split("\n")
      .map((line) => decodeEvent(line).position)
    assert.deepStrictEqual(
      positions,
      positions.map((_, index) => index + 1)
    )
  })
})
