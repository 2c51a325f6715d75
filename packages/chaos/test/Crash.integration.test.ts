import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { runUndoPlan } from "@sbx/core/UndoRunner"
import { Engine } from "@sbx/engine/Engine"
import { any, Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { ChildProcess } from "effect/process"
import { FailureEvents, pendingFaults, undone } from "../src/FailureEvent.ts"
import * as Cgroup from "../src/internal/hostCgroup.ts"
import { container, engineLayer, eventually, sidecarsOf } from "./testEngine.ts"

const script = new URL("injectorProcess.ts", import.meta.url).pathname

/** Everything that the journals say about faults. */
const recorded = Effect.gen(function* () {
  const journal = yield* Journal
  return yield* Stream.runCollect(FailureEvents.replay(journal))
})

describe("an injector that is killed with SIGKILL", () => {
  it.live(
    "leaves a sidecar that ends by itself and an undo that the journal knows",
    () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const fs = yield* FileSystem
        const target = yield* container("crash", {
          command: ["sleep", "600"],
          host: { nanoCpus: 5e8, networkMode: "none" }
        })
        const path = `${yield* fs.makeTempDirectoryScoped()}/journal.sqlite`
        const child = yield* ChildProcess.make(
          process.execPath,
          ["--conditions=@sbx/source", script, target.containerId, path],
          { extendEnv: true, stderr: "inherit" }
        )
        const line = yield* child.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead)
        assert.isTrue(line._tag === "Some" && line.value.startsWith("active "))
        yield* child.kill({ killSignal: "SIGKILL" })

        const [sidecar] = yield* sidecarsOf(target.containerId)
        assert.isDefined(sidecar)
        assert.strictEqual(sidecar.status, "running")
        // Its own lease: duration 1 s + proof 3 s + 5 s, whatever happened to its injector.
        yield* eventually(
          Effect.map(sidecarsOf(target.containerId), ([found]) => found !== undefined && found.status === "exited")
        )
        const { id, state } = yield* engine.inspectContainer(target.containerId)
        assert.strictEqual(Cgroup.processes(Cgroup.pathOf(id, state.hostPid) ?? "").length, 1)
        assert.deepStrictEqual(Cgroup.processes(`${Cgroup.pathOf(id, state.hostPid)}/${sidecar.id}`), [])

        yield* reconcile(path)
        assert.deepStrictEqual(yield* sidecarsOf(target.containerId), [])
      }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(engineLayer, NodeServices.layer))),
    90_000
  )
})

/** What a later process does: finds the undo, runs it, puts it on record; a second time there is nothing to do. */
const reconcile = (path: string) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const journal = yield* Journal
    const [fault, ...more] = pendingFaults(yield* recorded)
    assert.deepStrictEqual(more, [])
    assert.isDefined(fault)
    assert.strictEqual(fault.kind, "CpuStress")
    assert.deepStrictEqual(
      fault.undo.steps.map((step) => step._tag),
      ["RemoveContainer"]
    )
    yield* runUndoPlan(engine, fault.undo)
    yield* runUndoPlan(engine, fault.undo)
    const stream = FailureEvents.stream(fault.faultId)
    const event = undone(fault.faultId, yield* Clock.currentTimeMillis)
    yield* FailureEvents.append(journal, stream, [event], { expected: any })
    assert.deepStrictEqual(pendingFaults(yield* recorded), [])
  }).pipe(Effect.provide(Sqlite.layer({ path })))
