import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import * as Sqlite from "@sbx/journal/Sqlite"
import {
  type Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FileSystem,
  Layer,
  Queue,
  Schedule,
  Scope,
  Sink,
  Stdio,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { watch } from "../src/internal/watchdogWatch.ts"
import * as Owner from "../src/Owner.ts"
import type { ReconcileOptions, ReconcileReport } from "../src/Reconciler.ts"
import * as Watchdog from "../src/Watchdog.ts"

const nothing: ReconcileReport = {
  dryRun: false,
  objects: [],
  inDoubt: [],
  removed: [],
  settled: [],
  undone: [],
  foreign: [],
  failures: []
}
const something: ReconcileReport = { ...nothing, removed: ["sbx-x"], settled: ["sandbox/sbx_x"] }

const noEngine = new EngineUnavailable({ operation: "list", endpoint: "x", reason: "connection-lost", detail: "" })

const owner = Effect.map(Owner.current, (self) => ({
  alive: Owner.toLabel(self),
  dead: Owner.toLabel({ ...self, startTicks: "1" })
}))
const orderFor = (label: string, journalPath = ""): Watchdog.WardOrder => ({
  owner: label,
  endpoint: { kind: "explicit", address: "unix:///none" },
  stateDir: "/nowhere",
  journalId: "jrn_x",
  journalPath
})
const guard = (label: string, journalPath?: string) =>
  `${JSON.stringify({ _tag: "Guard", order: orderFor(label, journalPath) })}\n`
const goodbye = `${JSON.stringify({ _tag: "Goodbye" })}\n`

/** The watchdog's program on a pipe and a reconciler of the test's own; `answers` are given in turn, the last one for ever. */
const started = Effect.fnUntraced(function* (answers: ReadonlyArray<ReconcileReport | "no engine" | "hangs">) {
  const pipe = yield* Queue.unbounded<Uint8Array, Cause.Done>()
  const asked: Array<ReconcileOptions> = []
  let said = ""
  const reconcile = (options: ReconcileOptions) =>
    Effect.suspend(() => {
      const answer = answers[Math.min(asked.length, answers.length - 1)] ?? nothing
      asked.push(options)
      if (answer === "hangs") return Effect.never
      return answer === "no engine" ? Effect.fail(noEngine) : Effect.succeed(answer)
    })
  const io = Stdio.layerTest({
    stdin: Stream.fromQueue(pipe),
    stdout: () => Sink.forEach((chunk) => Effect.sync(() => void (said += String(chunk))))
  })
  const program = watch({ reconciler: () => Effect.succeed({ reconcile, keepReconciled: () => Effect.never }) })
  const fiber = yield* Effect.forkChild(Effect.provide(program, io))
  return {
    asked,
    said: () => said,
    write: (text: string) => Queue.offer(pipe, new TextEncoder().encode(text)),
    close: Queue.end(pipe),
    code: Fiber.join(fiber),
    isOver: () => fiber.pollUnsafe() !== undefined
  }
})

/** Reading /proc takes real time, which the test's clock knows nothing of. */
const turns = (count: number) =>
  Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(Effect.repeat({ times: count }))
const until = (holds: () => boolean) => turns(1).pipe(Effect.repeat({ until: holds }))
/** Lets time pass in steps, so that what waits for /proc in between gets its turn. */
const pass = (seconds: number) =>
  Effect.forEach(Array.from({ length: seconds * 4 }), () => Effect.andThen(TestClock.adjust("250 millis"), turns(3)), {
    discard: true
  })

describe("the watchdog's program", () => {
  it.effect("greets, and ends at once when told goodbye, having looked at nothing", () =>
    Effect.gen(function* () {
      const { dead } = yield* owner
      const dog = yield* started([something])
      yield* dog.write(guard(dead) + goodbye)
      assert.strictEqual(yield* dog.code, 0)
      assert.deepStrictEqual([dog.said(), dog.asked], ["watching\n", []])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("ends at once when the pipe ends before any order", () =>
    Effect.gen(function* () {
      const dog = yield* started([something])
      yield* dog.write("no order\n")
      yield* dog.close
      assert.strictEqual(yield* dog.code, 0)
      assert.deepStrictEqual(dog.asked, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("touches nothing of an owner that lives, though the pipe ended", () =>
    Effect.gen(function* () {
      const { alive } = yield* owner
      const dog = yield* started([something])
      yield* dog.write(guard(alive))
      yield* dog.close
      yield* pass(30)
      assert.deepStrictEqual([dog.asked, dog.isOver()], [[], false])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("reconciles for the dead owner alone, until nothing can come late any more", () =>
    Effect.gen(function* () {
      const { dead } = yield* owner
      const dog = yield* started([something, nothing, nothing, nothing, nothing, something, nothing])
      yield* dog.write(guard(dead) + guard(dead))
      yield* dog.close
      yield* until(() => dog.asked.length > 0)
      assert.deepStrictEqual(dog.asked[0], { dryRun: false, only: orderFor(dead) })
      yield* pass(9)
      assert.strictEqual(dog.isOver(), false)
      assert.isAbove(dog.asked.length, 6)
      yield* pass(2)
      assert.strictEqual(yield* dog.code, 0)
      const looks = dog.asked.length
      yield* pass(5)
      assert.strictEqual(dog.asked.length, looks)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("goes on while a create is in doubt or something failed", () =>
    Effect.gen(function* () {
      const { dead } = yield* owner
      const doubt = { ...nothing, inDoubt: [{ journalPath: "", stream: "sandbox/sbx_x", untilMillis: 1 }] }
      const failed = { ...nothing, failures: ["not removed"] }
      const dog = yield* started([...Array.from({ length: 12 }, () => doubt), failed, failed, nothing])
      yield* dog.write(guard(dead))
      yield* dog.close
      yield* until(() => dog.asked.length > 0)
      yield* pass(12)
      assert.strictEqual(dog.isOver(), false)
      yield* pass(20)
      assert.strictEqual(yield* dog.code, 0)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect(
    "gives an engine that is gone two minutes, in ever longer steps, and then leaves it to the next command",
    () =>
      Effect.gen(function* () {
        const { dead } = yield* owner
        const dog = yield* started(["no engine"])
        yield* dog.write(guard(dead))
        yield* dog.close
        yield* until(() => dog.asked.length > 0)
        yield* pass(118)
        assert.strictEqual(dog.isOver(), false)
        yield* pass(12)
        assert.strictEqual(yield* dog.code, 3)
        assert.isBelow(dog.asked.length, 30)
      }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("is not done while another reconciler has the journal", () =>
    Effect.gen(function* () {
      const { dead } = yield* owner
      const path = `${yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()}/journal.sqlite`
      const other = yield* Scope.make()
      yield* TestClock.withLive(Layer.buildWithScope(Sqlite.layer({ path }), other))
      const dog = yield* started([nothing])
      yield* dog.write(guard(dead, path))
      yield* dog.close
      yield* until(() => dog.asked.length > 0)
      yield* pass(20)
      assert.strictEqual(dog.isOver(), false)
      yield* TestClock.withLive(Scope.close(other, Exit.void))
      yield* pass(25)
      assert.strictEqual(yield* dog.code, 0)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("is not held up by an engine that hangs", () =>
    Effect.gen(function* () {
      const { dead } = yield* owner
      const dog = yield* started(["hangs", "no engine", nothing])
      yield* dog.write(guard(dead))
      yield* dog.close
      yield* until(() => dog.asked.length > 0)
      yield* pass(40)
      assert.strictEqual(yield* dog.code, 0)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url)

describe("the watchdog's keeper", () => {
  it.live("says why when none can be kept running, and holds nobody up", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const logFile = `${directory}/watchdog.log`
      const services = yield* Layer.build(Watchdog.layerWith({ entry: fixture("noSuchEntry.ts"), logFile }))
      yield* Effect.gen(function* () {
        const watchdog = yield* Watchdog.Watchdog
        yield* watchdog.guard(orderFor("x"))
        const reason = yield* watchdog.lost
        assert.match(reason, /could not be kept running: it ended unasked, with exit code 1; see/)
        assert.deepStrictEqual(yield* watchdog.status, { _tag: "lost", reason })
        yield* watchdog.guard(orderFor("y"))
      }).pipe(Effect.provide(services))
      assert.include(yield* fs.readFileString(logFile), "noSuchEntry.ts")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live(
    "gives the orders to a second one when the first is killed, and says goodbye to that",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const logFile = `${yield* fs.makeTempDirectoryScoped()}/watchdog.log`
        const lines = Effect.map(
          Effect.orElseSucceed(fs.readFileString(logFile), () => ""),
          (text) => text.split("\n").filter((line) => line !== "")
        )
        const eventually = <A>(see: Effect.Effect<A>, holds: (value: A) => boolean) =>
          see.pipe(
            Effect.repeat({ until: holds, schedule: Schedule.spaced("20 millis") }),
            Effect.timeout("60 seconds")
          )
        const first = yield* Deferred.make<number>()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const services = yield* Layer.build(Watchdog.layerWith({ entry: fixture("echoOrders.ts"), logFile }))
            yield* Effect.gen(function* () {
              const watchdog = yield* Watchdog.Watchdog
              yield* watchdog.guard(orderFor("me"))
              const status = yield* eventually(watchdog.status, ({ _tag }) => _tag === "watching")
              if (status._tag === "watching") yield* Deferred.succeed(first, status.pid)
              yield* eventually(lines, (all) => all.length === 1)
              process.kill(yield* Deferred.await(first), "SIGKILL")
              yield* eventually(lines, (all) => all.length === 2)
              yield* eventually(watchdog.status, ({ _tag }) => _tag === "watching")
            }).pipe(Effect.provide(services))
          })
        )
        const words = (yield* lines).map((line) => line.split(" "))
        assert.deepStrictEqual(
          words.map(([, tag]) => tag),
          ["Guard", "Guard", "Goodbye"]
        )
        const pids = words.map(([pid]) => Number(pid))
        assert.strictEqual(pids[0], yield* Deferred.await(first))
        assert.deepStrictEqual([pids[0] !== pids[1], pids[1]], [true, pids[2]])
        assert.isFalse(yield* fs.exists(`/proc/${pids[2]}`))
      }).pipe(Effect.provide(NodeServices.layer), Effect.scoped),
    120_000
  )
})
