import { mkdtempSync, readlinkSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { assert, describe, it, onTestFinished } from "@effect/vitest"
import { ReconcileReport } from "@sbx/core/Reconciler"
import { keys } from "@sbx/core/SandboxLabels"
import * as Schema from "effect/Schema"
import { RunJson } from "../src/reporting/RunJson.ts"
import { directory, run, start } from "./support/commandLine.ts"
import { describeIf } from "./support/describeIf.ts"
import { killed, untilNothing } from "./support/killing.ts"
import { address, env, hang, hanging, objectsOf, objectsWith, passes, scenario } from "./support/realEngine.ts"

const decodeReap = Schema.decodeSync(Schema.fromJsonString(ReconcileReport))
const decodeRun = Schema.decodeSync(Schema.fromJsonString(RunJson))

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

  it("leaves a live run alone", async () => {
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

/** The engine through a socket that can be cut, as if the daemon had died. */
const cuttable = async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sbx-cut-"))
  const socket = path.join(folder, "docker.sock")
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ path: address.replace("unix://", ""), allowHalfOpen: true })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client]
    ] as const) {
      open.add(from)
      from.on("error", () => to.destroy())
      from.on("close", () => open.delete(from))
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  const cut = () => {
    server.close()
    for (const one of open) one.destroy()
  }
  onTestFinished(() => {
    cut()
    rmSync(folder, { recursive: true, force: true })
  })
  return { endpoint: `unix://${socket}`, cut }
}

describeIf(address.startsWith("unix://"), "only a local socket can be cut")("an engine that dies in mid-run", () => {
  it("makes the run inconclusive with the reason; the next command cleans up", async () => {
    const cwd = directory()
    const engine = await cuttable()
    const goesOn = `  yield* context.step("hang", Effect.forever(Effect.andThen(sandbox.exec(["true"]), Effect.sleep("50 millis"))))`
    const started = start(["run", "--json", scenario(cwd, "hang", goesOn)], { cwd, env: env(engine.endpoint) })
    await started.says(hanging)
    engine.cut()
    const ended = await started.ended
    assert.strictEqual(ended.code, 3, ended.stderr)
    const said = decodeRun(ended.stdout)
    assert.strictEqual(said.verdict, "unknown")
    assert.match(said.scenarios[0]?.reason ?? "", /engine went away/)
    const reaped = await run(["reap", "--json"], { cwd, env: env() })
    assert.strictEqual(reaped.code, 0, reaped.stderr)
    assert.deepStrictEqual(await objectsOf(said.runId), [])
  })
})
