import { assert, describe, it } from "@effect/vitest"
import type { SandboxEvent } from "@sbx/core/SandboxEvent"
import { SandboxEvents } from "@sbx/core/SandboxEvent"
import type { LifecycleState } from "@sbx/core/LifecycleState"
import { fold } from "@sbx/core/SandboxLifecycle"
import { type Recorded, RecordedJson } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { directory, run, start } from "./support/commandLine.ts"
import { env, hanging, scenario, stateOf } from "./support/realEngine.ts"

const decodeEvent = Schema.decodeSync(Schema.fromJsonString(RecordedJson))

/** What `sbx events --json` of the last run adds up to, for each sandbox by its stream. */
const folded = async (cwd: string): Promise<ReadonlyMap<string, LifecycleState>> => {
  const { code, stdout, stderr } = await run(["events", "--json"], { cwd })
  assert.strictEqual(code, 0, stderr)
  const recorded = stdout
    .trimEnd()
    .split("\n")
    .map((line): Recorded => decodeEvent(line))
  assert.deepStrictEqual(
    recorded.map(({ position }) => position),
    recorded.map((_, index) => index + 1)
  )
  const facts = new Map<string, Array<SandboxEvent>>()
  for (const one of recorded.filter(
    ({ stream, type }) => stream.startsWith("sandbox/") && !type.startsWith("journal.")
  )) {
    const event = await Effect.runPromise(SandboxEvents.decode(one))
    if (event._tag === "UnknownEvent") assert.fail(`${one.type} is no event of a sandbox`)
    facts.set(one.stream, [...(facts.get(one.stream) ?? []), event])
  }
  return new Map([...facts].map(([stream, events]) => [stream, fold(events)]))
}

/** `sandbox` runs, a second one is paused, and so they stay. */
const twoStates = `  const paused = yield* (yield* Sandboxes).make({ image: sandbox.spec.image })
  yield* paused.pause
  yield* context.step("hang", Effect.never)`

describe("folding the events of the last run", () => {
  it("gives the state that the engine shows: running and paused during the run, removed and absent after it", async () => {
    const cwd = directory()
    const started = start(["run", scenario(cwd, "hang", twoStates)], { cwd, env: env() })
    await started.says(hanging)
    const during = [...(await folded(cwd)).values()]
    assert.sameMembers(
      during.map(({ status }) => status),
      ["running", "paused"]
    )
    const ids: Array<string> = []
    for (const { containerId, status, counts } of during) {
      assert.isDefined(containerId)
      assert.strictEqual(await stateOf(containerId), status)
      assert.strictEqual(counts.anomalies, 0)
      ids.push(containerId)
    }
    started.child.kill("SIGINT")
    await started.ended
    const after = [...(await folded(cwd)).values()]
    assert.deepStrictEqual(
      after.map(({ status }) => status),
      ["removed", "removed"]
    )
    for (const id of ids) assert.strictEqual(await stateOf(id), "absent")
  })
})
