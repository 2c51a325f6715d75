import { assert, describe, it } from "@effect/vitest"
import type { Engine } from "@sbx/engine/Engine"
import { execWithheld } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import { Effect, Exit, Stream } from "effect"
import { exec } from "../src/internal/execProcess.ts"
import * as Recorder from "../src/internal/sandboxRecorder.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import { fold } from "../src/SandboxLifecycle.ts"
import { contextOn } from "./support/contextOn.ts"

const load = Effect.fnUntraced(function* (id: string) {
  const journal = yield* Journal
  const events = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(id)))
  return {
    version: events.length,
    state: fold(events.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload])))
  }
})

describe("recorder", () => {
  it.effect("folds to what the journal folds to, and closes the stream with the last fact", () =>
    Effect.gen(function* () {
      const { recorder, id } = yield* contextOn({})
      assert.deepStrictEqual((yield* load(id)).state, recorder.state())
      yield* recorder.submit({ _tag: "Remove", atMillis: 700, reason: "" })
      yield* recorder.report({ _tag: "Removed", atMillis: 800 })
      // Too late: dropped, not an error.
      yield* recorder.report({ _tag: "Removed", atMillis: 900 })
      yield* recorder.report({ _tag: "Paused", atMillis: 900 })
      assert.deepStrictEqual((yield* load(id)).state, recorder.state())
      const journal = yield* Journal
      assert.deepStrictEqual(yield* journal.streams({ open: true }), [])
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("writes several commands at once, and of a rejected row those before it", () =>
    Effect.gen(function* () {
      const { recorder, id } = yield* contextOn({})
      const { version } = yield* load(id)
      const pause = { _tag: "Pause", atMillis: 700 } as const
      const paused = { _tag: "Report", outcome: { _tag: "Paused", atMillis: 701 } } as const
      const events = yield* recorder.submitAll([pause, paused])
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["PauseIntended", "Paused"]
      )
      const rejection = yield* Effect.flip(recorder.submitAll([{ _tag: "Resume", atMillis: 702 }, pause]))
      assert.deepInclude(rejection, { _tag: "LifecycleRejection", command: "Pause" })
      const after = yield* load(id)
      assert.strictEqual(after.version, version + 3)
      assert.deepStrictEqual(after.state, recorder.state())
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("stops a zombie before it makes a process", () =>
    Effect.gen(function* () {
      let asked = 0
      const gated: Engine["Service"]["exec"] = (id, { gate = Effect.succeed(true) }) =>
        Effect.flatMap(gate, (open) => {
          asked += 1
          return open ? Effect.die("a process was made") : Effect.fail(execWithheld(id))
        })
      const zombie = yield* contextOn({ exec: gated })
      const journal = yield* Journal
      const successor = yield* Recorder.make(journal, zombie.id, yield* load(zombie.id))
      yield* successor.submit({ _tag: "Pause", atMillis: 700 })
      const error = yield* Effect.flip(exec(zombie, ["true"]))
      assert.include(["VersionConflict", "CommandReused"], error._tag)
      assert.strictEqual(asked, 1)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("does not take a process that was made without asking whether its intent is recorded", () =>
    Effect.gen(function* () {
      const connection = { execId: "e", output: Stream.empty, writeStdin: () => Effect.void, endStdin: Effect.void }
      const context = yield* contextOn({ exec: () => Effect.succeed(connection) })
      const exit = yield* Effect.exit(exec(context, ["true"]))
      assert.isTrue(Exit.hasDies(exit))
    }).pipe(Effect.provide(Memory.layer))
  )
})
