import { NodeFileSystem, NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FileSystem, layerNoop } from "effect/FileSystem"
import * as ChildProcess from "effect/process/ChildProcess"
import * as Stream from "effect/Stream"
import * as Expect from "../src/Expect.ts"
import * as Owner from "../src/Owner.ts"

describe("an owner", () => {
  it("is read back from its label", () => {
    const owner = { bootId: "01234567-89ab-cdef-0123-456789abcdef", pidNamespace: "42", pid: 7, startTicks: "99" }
    assert.deepStrictEqual(Owner.fromLabel(Owner.toLabel(owner)), owner)
    assert.isUndefined(Owner.fromLabel("nobody"))
    assert.isUndefined(Owner.fromLabel(""))
  })

  it("survives any command name in /proc/<pid>/stat", () => {
    const fields = `R ${Array.from({ length: 18 }, (_, i) => i).join(" ")} 4711 0`
    assert.deepStrictEqual(Owner.parseStat(`12 (a) b (c) ${fields}`), { pid: 12, state: "R", startTicks: "4711" })
    assert.isUndefined(Owner.parseStat("garbage"))
  })

  it.effect("is alive while this process runs, dead when the start time is another's", () =>
    Effect.gen(function* () {
      const me = yield* Owner.current
      assert.strictEqual(yield* Owner.liveness(me), "alive")
      assert.strictEqual(yield* Owner.liveness({ ...me, startTicks: "1" }), "dead")
      assert.strictEqual(yield* Owner.liveness({ ...me, bootId: "other" }), "unknown-other-host")
      assert.strictEqual(yield* Owner.liveness({ ...me, pidNamespace: "1" }), "unknown-other-host")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.live("is dead once its process is killed", () =>
    Effect.gen(function* () {
      const me = yield* Owner.current
      const fs = yield* FileSystem
      const child = yield* ChildProcess.make("sleep", ["60"])
      const stat = Owner.parseStat(yield* fs.readFileString(`/proc/${child.pid}/stat`))
      const owner = { ...me, pid: Number(child.pid), startTicks: stat?.startTicks ?? "" }
      assert.strictEqual(yield* Owner.liveness(owner), "alive")
      yield* child.kill({ killSignal: "SIGKILL" })
      yield* Expect.eventually(
        "the owner",
        Effect.flatMap(Owner.liveness(owner), (actual) => Expect.equals("liveness", actual, "dead")),
        { within: "5 seconds" }
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("is dead as a zombie", () =>
    Effect.gen(function* () {
      const me = yield* Owner.current
      const fs = yield* FileSystem
      // The shell becomes a sleep that never waits for the child it had; a shell that lives might.
      const parent = yield* ChildProcess.make("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"])
      const line = yield* Stream.runHead(Stream.splitLines(Stream.decodeText(parent.stdout)))
      const pid = line._tag === "Some" ? line.value : ""
      const comm = Effect.map(fs.readFileString(`/proc/${parent.pid}/comm`), (text) => text.trim())
      yield* Expect.eventually(
        "the parent",
        Effect.flatMap(comm, (name) => Expect.equals("program", name, "sleep")),
        { within: "5 seconds" }
      )
      yield* Effect.sync(() => process.kill(Number(pid), "SIGKILL"))
      const isZombie = Effect.gen(function* () {
        const stat = Owner.parseStat(yield* fs.readFileString(`/proc/${pid}/stat`))
        yield* Expect.equals("state", stat?.state, "Z")
        return stat
      })
      const stat = yield* Expect.eventually("the child", isZombie, { within: "5 seconds" })
      const owner = { ...me, pid: Number(pid), startTicks: stat?.startTicks ?? "" }
      assert.strictEqual(yield* Owner.liveness(owner), "dead")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("is unknown where there is no /proc", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Owner.current)
      assert.strictEqual(error._tag, "OwnerUnknown")
      const owner = { bootId: "b", pidNamespace: "1", pid: 1, startTicks: "1" }
      assert.strictEqual(yield* Owner.liveness(owner), "unknown-other-host")
    }).pipe(Effect.provide(layerNoop({})))
  )
})
