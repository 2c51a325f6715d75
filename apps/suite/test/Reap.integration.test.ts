import { readlinkSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ReconcileReport } from "@sbx/core/Reconciler"
import { keys } from "@sbx/core/SandboxLabels"
import * as Schema from "effect/Schema"
import { directory, run, start } from "./support/commandLine.ts"
import { killed, untilNothing } from "./support/killing.ts"
import { env, hang, hanging, objectsOf, objectsWith, passes, scenario } from "./support/realEngine.ts"

const decodeReap = Schema.decodeSync(Schema.fromJsonString(ReconcileReport))

const ofRun = (report: ReconcileReport, cwd: string) =>
  report.objects.filter(({ journalPath }) => journalPath.startsWith(cwd))

/** Killed with something in the engine that it tries it with; tells what is its own. */
const killedDoctor = async (cwd: string) => {
  const started = start(["doctor"], { cwd, env: env() })
  const isOwn = (labels: Readonly<Record<string, string>>) =>
    labels[keys.owner]?.split("/")[2] === String(started.child.pid)
  // Stopped while it is looked at, so that what is seen is not what it was just about to remove.
  const nothingYet = async () => {
    started.child.kill("SIGSTOP")
    if ((await objectsWith(isOwn)).length > 0) return []
    started.child.kill("SIGCONT")
    return ["no probe"]
  }
  assert.deepStrictEqual((await untilNothing(nothingYet, 60_000)).left, [])
  await killed.alone(started)
  return isOwn
}

describe("reap", () => {
  it("lists what a killed run left without touching it, then removes it, and what a killed doctor left", async () => {
    const cwd = directory()
    const started = start(["run", scenario(cwd, "hang", hang)], { cwd, env: env() })
    const [isDoctors] = await Promise.all([killedDoctor(cwd), started.says(hanging)])
    await killed.withWatchdog(started)
    const runId = readlinkSync(path.join(cwd, ".sbx/runs/last"))
    const left = await objectsOf(runId)
    assert.isNotEmpty(left)
    const dry = decodeReap((await run(["reap", "--dry-run", "--json"], { cwd, env: env() })).stdout)
    assert.sameMembers(
      ofRun(dry, cwd).map(({ name }) => name),
      [...left]
    )
    assert.deepStrictEqual(dry.removed, [])
    assert.deepStrictEqual(await objectsOf(runId), left)
    const reaped = await run(["reap", "--json"], { cwd, env: env() })
    assert.strictEqual(reaped.code, 0, reaped.stderr)
    assert.includeMembers([...decodeReap(reaped.stdout).removed], [...left])
    assert.deepStrictEqual(await objectsOf(runId), [])
    assert.deepStrictEqual(await objectsWith(isDoctors), [])
    const again = decodeReap((await run(["reap", "--dry-run", "--json"], { cwd, env: env() })).stdout)
    assert.deepStrictEqual(ofRun(again, cwd), [])
  })

  it("is done by the next run, which says so", async () => {
    const cwd = directory()
    const started = start(["run", scenario(cwd, "hang", hang)], { cwd, env: env() })
    await started.says(hanging)
    await killed.withWatchdog(started)
    const runId = readlinkSync(path.join(cwd, ".sbx/runs/last"))
    const next = await run(["run", scenario(cwd, "empty", passes)], { cwd, env: env() })
    assert.strictEqual(next.code, 0, next.stderr)
    assert.match(next.stderr, /after dead runs: .*removed/)
    assert.deepStrictEqual(await objectsOf(runId), [])
  })
})
