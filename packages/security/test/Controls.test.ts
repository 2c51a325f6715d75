/** Weakened sandboxes on an engine that only remembers: what is made, what is refused, and that all of it is removed. */
import { assert, describe, it } from "@effect/vitest"
import { resolve } from "@sbx/core/SandboxOptions"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import type { EngineInfo } from "@sbx/engine/Engine"
import { EngineFailure, EngineUnavailable, InvalidRequest } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { boundaryCheck } from "../src/BoundaryChecks.ts"
import type { ControlContext, ControlEngine } from "../src/Controls.ts"
import { runControl, runControls } from "../src/Controls.ts"
import { fromSandbox } from "../src/HardenedReference.ts"
import { inspectWith } from "./support/golden.ts"

const info: EngineInfo = {
  id: "e",
  version: "28",
  apiVersion: "1.50",
  operatingSystem: "linux",
  kernelVersion: "6.1",
  architecture: "x86_64",
  cpus: 2,
  memoryBytes: 1,
  storageDriver: "overlay2",
  backingFilesystem: undefined,
  dataRoot: "/var/lib/docker",
  cgroupVersion: "2",
  cgroupDriver: "systemd",
  defaultRuntime: "runc",
  runtimes: ["runc"],
  securityOptions: [],
  warnings: []
}

/** Its containers say what they were made with; nothing in them runs, so only posture checks can fire. */
const remembering = (faults: Partial<ControlEngine> = {}) => {
  const alive = new Map<string, ContainerSpec>()
  const made: Array<ContainerSpec> = []
  const engine: ControlEngine = {
    endpoint: { kind: "private", address: "tcp://127.0.0.1:2375" },
    createContainer: (spec) =>
      Effect.sync(() => {
        made.push(spec)
        alive.set(spec.name, spec)
        return spec.name
      }),
    startContainer: () => Effect.void,
    inspectContainer: (id) => Effect.sync(() => inspectWith(alive.get(id)?.host ?? {})),
    removeContainer: (id) => Effect.sync(() => void alive.delete(id)),
    exec: () =>
      Effect.succeed({ execId: "x", output: Stream.empty, writeStdin: () => Effect.void, endStdin: Effect.void }),
    ...faults
  }
  return { alive, engine, made }
}

const contextOf = Effect.fnUntraced(function* (engine: ControlEngine, ids: ReadonlyArray<string>, permitted = true) {
  const facts: Array<string> = []
  const context: ControlContext<never> = {
    engine,
    info,
    auditId: "aud_0",
    checks: ids.flatMap((id) => boundaryCheck(id) ?? []),
    reference: fromSandbox(yield* resolve({ image: "base", command: ["hostile"], env: { TOKEN: "secret" } }), info),
    vehicles: undefined,
    permitted,
    concurrency: 1,
    labels: () => ({ owner: "me" }),
    intended: (weakening) => Effect.sync(() => void facts.push(`intended ${weakening}`)),
    concluded: ({ outcome, weakening }) => Effect.sync(() => void facts.push(`${outcome._tag} ${weakening}`))
  }
  return { context, facts }
})

describe("a weakened sandbox", () => {
  it.effect("is made one step away, read and removed, after its intent", () =>
    Effect.gen(function* () {
      const { alive, engine, made } = remembering()
      const { context, facts } = yield* contextOf(engine, ["POS-RESTART", "POS-INIT"])
      const { outcome } = yield* runControl(context, "restartAlways")
      const verdicts = outcome._tag === "Ran" ? outcome.verdicts : {}
      assert.strictEqual(verdicts["POS-RESTART"]?._tag, "Breached")
      assert.strictEqual(verdicts["POS-INIT"]?._tag, "Held")
      assert.deepStrictEqual(facts, ["intended restartAlways", "Ran restartAlways"])
      assert.deepStrictEqual(made[0]?.labels, { owner: "me", "sbx.control": "restartAlways" })
      assert.strictEqual(alive.size, 0)
    })
  )

  it.effect("never gets the owner's command or environment", () =>
    Effect.gen(function* () {
      const { engine, made } = remembering()
      const { context } = yield* contextOf(engine, ["POS-INIT"])
      yield* runControl(context, "privileged")
      assert.strictEqual(made[0]?.host?.privileged, true)
      assert.deepStrictEqual(made[0]?.entrypoint, ["sleep", "120"])
      assert.notProperty(made[0]?.env ?? {}, "TOKEN")
    })
  )

  it.effect("is not made where dangerous subjects are not permitted", () =>
    Effect.gen(function* () {
      const { engine, made } = remembering()
      const { context, facts } = yield* contextOf(engine, ["POS-INIT"], false)
      assert.strictEqual((yield* runControl(context, "noInit")).outcome._tag, "NotPermitted")
      assert.deepStrictEqual(made, [])
      assert.deepStrictEqual(facts, ["NotPermitted noInit"])
    })
  )

  it.effect.each(["engineSocket", "oomKillDisabled"] as const)("does not exist on this engine: %s", (name) =>
    Effect.gen(function* () {
      const { engine, made } = remembering()
      const { context } = yield* contextOf(engine, ["POS-INIT"])
      assert.strictEqual((yield* runControl(context, name)).outcome._tag, "NotCreatable")
      assert.deepStrictEqual(made, [])
    })
  )

  it.effect("that the engine refuses is not creatable, and what was made of it is removed", () =>
    Effect.gen(function* () {
      const bad = new InvalidRequest({
        operation: "create container",
        reason: "bad-parameter",
        detail: "no such thing"
      })
      const late = new EngineFailure({ operation: "start container", status: 500, detail: "unable to apply caps" })
      const refusing = remembering({ createContainer: () => Effect.fail(bad) })
      const failing = remembering({ startContainer: () => Effect.fail(late) })
      for (const { alive, engine } of [refusing, failing]) {
        const { context } = yield* contextOf(engine, ["POS-INIT"])
        const { outcome } = yield* runControl(context, "noInit")
        assert.match(outcome._tag === "NotCreatable" ? outcome.reason : "", /no such thing|unable to apply caps/)
        assert.strictEqual(alive.size, 0)
      }
    })
  )

  it.effect("is an error, not a result, when the engine does not answer", () =>
    Effect.gen(function* () {
      const gone = new EngineUnavailable({
        operation: "start",
        endpoint: "e",
        reason: "connection-lost",
        detail: "gone"
      })
      const { alive, engine } = remembering({ startContainer: () => Effect.fail(gone) })
      const { context } = yield* contextOf(engine, ["POS-INIT"])
      assert.strictEqual((yield* Effect.flip(runControl(context, "noInit")))._tag, "EngineUnavailable")
      assert.strictEqual(alive.size, 0)
    })
  )

  it.effect("is removed when its reading is interrupted", () =>
    Effect.gen(function* () {
      const { alive, engine } = remembering({ exec: () => Effect.never })
      const { context } = yield* contextOf(engine, ["POS-INIT", "NS-PID"])
      const fiber = yield* Effect.forkChild(runControl(context, "noInit"))
      yield* Effect.repeat(Effect.yieldNow, { until: () => alive.size === 1 })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(alive.size, 0)
    })
  )
})

describe("rounds", () => {
  const options = { known: [], first: [], vehicles: {} }

  it.effect("go on to a check's next control when the first did not fire, and end", () =>
    Effect.gen(function* () {
      const { engine } = remembering()
      // The engine silently ignores the first: shareable reads as private.
      const deaf: ControlEngine = {
        ...engine,
        inspectContainer: (id) =>
          Effect.map(engine.inspectContainer(id), (inspect) =>
            inspect.host.ipcMode === "shareable" ? inspectWith({ ...inspect.host, ipcMode: "private" }) : inspect
          )
      }
      const { context, facts } = yield* contextOf(deaf, ["POS-IPC-JOIN"])
      yield* runControls(context, { ...options, first: ["shareableIpc"] })
      assert.deepStrictEqual(
        facts.filter((fact) => fact.startsWith("Ran")),
        ["Ran shareableIpc", "Ran hostIpc"]
      )
    })
  )

  it.effect("end without power when no control of a check fires", () =>
    Effect.gen(function* () {
      const { engine } = remembering({ inspectContainer: () => Effect.succeed(inspectWith({ ipcMode: "private" })) })
      const { context, facts } = yield* contextOf(engine, ["POS-IPC-JOIN"])
      const results = yield* runControls(context, options)
      assert.strictEqual(results.length, 2)
      assert.strictEqual(facts.length, 4)
    })
  )

  it.effect("make nothing for checks whose power is known", () =>
    Effect.gen(function* () {
      const { engine, made } = remembering()
      const { context } = yield* contextOf(engine, ["POS-INIT"])
      const known = yield* runControls(context, options)
      const again = yield* runControls(context, { ...options, known })
      assert.deepStrictEqual(again, known)
      assert.strictEqual(made.length, 1)
    })
  )
})
