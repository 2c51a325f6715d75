import { readdirSync } from "node:fs"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Report } from "../torture/Tortures.ts"
import { directory, start } from "./support/commandLine.ts"
import { describeIf } from "./support/describeIf.ts"
import * as EngineBelow from "./support/engineBelow.ts"
import { stateFolder } from "./support/machineView.ts"
import { env, isPrivate } from "./support/realEngine.ts"

const decode = Schema.decodeSync(Schema.fromJsonString(Report))

/** The moment that it draws comes when most of the victim's sandboxes are made. */
const seed = 2
const command = ["torture", "kill-engine", "--rounds", "1", "--seed", String(seed), "--json"]

describeIf(isPrivate, "only a private engine is killed")("sbx torture kill-engine", () => {
  it("kills an engine of its own under a run in flight, passes, and takes all of that engine away again", async () => {
    const cwd = directory()
    // Its engine takes packages and images from the machine's state folder.
    const started = start(command, { cwd, env: { ...env(), SBX_STATE_DIR: stateFolder } })
    const id = await EngineBelow.appears(cwd, started.ended)
    // The control: this is how an engine that is there looks.
    const there = EngineBelow.look(id, cwd)
    assert.isNotEmpty(there.processes)
    assert.deepStrictEqual(there.volatile, [id])
    const ended = await started.ended
    assert.strictEqual(ended.code, 0, `${ended.stdout}${ended.stderr}`)
    const { asked, lacking, later, rounds, seed: used, verdict } = decode(ended.stdout)
    assert.deepStrictEqual(
      { asked, lacking, later, used, verdict },
      {
        asked: 1,
        lacking: [],
        later: [],
        used: seed,
        verdict: { _tag: "pass" }
      }
    )
    assert.lengthOf(rounds, 1)
    assert.deepStrictEqual(rounds[0]?.violations, [])
    assert.isAbove(rounds[0]?.figures["objects"] ?? 0, 0)
    assert.isAbove(rounds[0]?.figures["acknowledged"] ?? 0, 0)
    console.info(rounds[0]?.what)
    const left = EngineBelow.look(id, cwd)
    assert.deepStrictEqual(left, { processes: [], cgroups: [], mounts: [], loops: [], volatile: [] })
    assert.deepStrictEqual(readdirSync(path.join(cwd, ".sbx/torture")), [])
    // A run that hangs ends as a violation, not as a timeout of this test.
  }, 240_000)
})
