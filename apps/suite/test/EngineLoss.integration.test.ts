import { mkdtempSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { assert, it, onTestFinished } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { RunJson } from "../src/reporting/RunJson.ts"
import { directory, run, start } from "./support/commandLine.ts"
import { describeIf } from "./support/describeIf.ts"
import { address, env, hanging, objectsOf, scenario } from "./support/realEngine.ts"

const decodeRun = Schema.decodeSync(Schema.fromJsonString(RunJson))

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
