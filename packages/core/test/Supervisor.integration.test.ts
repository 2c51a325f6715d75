import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import { Effect, Stream } from "effect"
import { Sandboxes } from "../src/Sandboxes.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import type { Sandbox } from "../src/SandboxHandle.ts"
import { supervise, type Supervised, type Supervision } from "../src/Supervisor.ts"
import { eventually } from "./support/hostView.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

/** Waits for a state of the supervision; the deadline is the requirement's own. */
const until = (supervised: Supervised, holds: (supervision: Supervision) => boolean) =>
  supervised.changes.pipe(Stream.filter(holds), Stream.runHead, Effect.timeout("10 seconds"))

/** From outside of the engine: it only sees its effect. */
const killMain = Effect.fnUntraced(function* (box: Sandbox) {
  const { state } = yield* box.inspect
  process.kill(state.hostPid ?? 0, "SIGKILL")
})

const tagsOf = Effect.fnUntraced(function* (box: Sandbox) {
  const journal = yield* Journal
  const events = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(box.id)))
  return events.map(({ payload }) => payload._tag)
})

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("supervisor", (it) => {
  it.effect("brings back a sandbox whose main process was killed, in under 10 s, with its workspace", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      yield* box.files.write("state.txt", "precious")
      const supervised = yield* supervise(box)
      for (const attempt of [1, 2]) {
        yield* killMain(box)
        yield* until(supervised, ({ status, recoveries }) => status === "watching" && recoveries.length === attempt)
      }
      const { recoveries } = yield* supervised.current
      for (const recovery of recoveries) {
        assert.isAbove(recovery.downMillis, 0)
        assert.isBelow(recovery.downMillis, 10_000)
        assert.include(recovery.reason, "signal 9")
      }
      const { state } = yield* box.inspect
      assert.strictEqual(state.startedAtMillis, recoveries.at(-1)?.recoveredAtMillis)
      assert.strictEqual(yield* box.state, "running")
      assert.strictEqual((yield* box.execOk(["cat", "state.txt"])).stdout, "precious")
      const tags = yield* tagsOf(box)
      const story = tags.filter((tag) => ["Died", "RecoveryDecided", "StartIntended", "Started"].includes(tag))
      const round = ["Died", "RecoveryDecided", "StartIntended", "Started"]
      assert.deepStrictEqual(story, ["StartIntended", "Started", ...round, ...round])
    })
  )

  it.effect("gives up when the budget is used, and says so in an event", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", command: ["sh", "-c", "sleep 0.1; exit 3"] })
      const supervised = yield* supervise(box, { budget: 2, initialDelay: "10 millis" })
      yield* until(supervised, ({ status }) => status === "given-up")
      const { decision, recoveries } = yield* supervised.current
      assert.strictEqual(recoveries.length, 2)
      assert.include(decision?.reason, "2 restarts within")
      assert.strictEqual((yield* tagsOf(box)).at(-1), "RecoveryDecided")
      assert.strictEqual(yield* box.state, "stopped")
    })
  )

  it.effect("leaves alone what was stopped, restarted or removed on purpose, and what ended cleanly", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      const supervised = yield* supervise(box)
      yield* box.restart()
      yield* box.stop()
      yield* box.restart()
      yield* box.pause
      yield* box.resume
      assert.notInclude(yield* tagsOf(box), "RecoveryDecided")
      yield* box.remove
      yield* until(supervised, ({ status }) => status === "ended")
      assert.notInclude(yield* tagsOf(box), "RecoveryDecided")
      const done = yield* make({ disk: "4M", command: ["sh", "-c", "sleep 0.2"] })
      const other = yield* supervise(done)
      yield* until(other, ({ status }) => status === "given-up")
      assert.include((yield* other.current).decision?.reason, "completed")
    })
  )

  it.effect("restarts after an out-of-memory kill, told by the engine's flag", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const command = [
        "sh",
        "-c",
        "[ -e tried ] && exec sleep 1000; touch tried; exec dd if=/dev/zero of=/dev/null bs=64M"
      ]
      const box = yield* make({ disk: "4M", memory: "32M", command })
      const supervised = yield* supervise(box)
      yield* until(supervised, ({ recoveries }) => recoveries.length === 1)
      assert.strictEqual((yield* supervised.current).recoveries[0]?.reason, "out-of-memory")
      assert.strictEqual(yield* box.state, "running")
    })
  )

  it.effect("records OOM kills of other processes than the main one", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", memory: "32M" })
      yield* supervise(box)
      // The subscription has no sign of being in place: repeat the cause until its effect is on record.
      yield* eventually(
        Effect.andThen(box.exec(["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]), tagsOf(box)),
        (tags) => tags.includes("OomKilled"),
        "20 seconds"
      )
      assert.strictEqual(yield* box.state, "running")
    })
  )

  it.effect("gives up when the container is gone", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      const supervised = yield* supervise(box)
      yield* engine.removeContainer(box.containerId)
      yield* until(supervised, ({ status }) => status === "given-up")
      assert.include((yield* supervised.current).decision?.reason, "gone")
    })
  )

  it.effect("refuses to promise a workspace that a restart empties", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", workspace: "memory" })
      assert.strictEqual((yield* Effect.flip(supervise(box)))._tag, "SupervisionUnsupported")
      yield* supervise(box, { keepWorkspace: false })
      assert.strictEqual((yield* Effect.flip(supervise({ ...box })))._tag, "SupervisionUnsupported")
    })
  )
})
