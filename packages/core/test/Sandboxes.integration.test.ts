import { assert, describe, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { EngineFailure, EngineTimeout } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { isTerminal } from "../src/LifecycleState.ts"
import * as SandboxesModule from "../src/Sandboxes.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import { fold } from "../src/SandboxLifecycle.ts"
import { leftovers, nothing } from "./support/hostView.ts"
import { sandboxesLayer, withEngine } from "./support/sandboxesLayer.ts"

const factsOf = Effect.fnUntraced(function* (id: string) {
  const journal = yield* Journal
  const events = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(id)))
  return events.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload]))
})

const nothingLeft = Effect.gen(function* () {
  const journal = yield* Journal
  assert.deepStrictEqual(yield* leftovers(journal.id), nothing)
})

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "120 seconds" })("sandboxes", (it) => {
  it.effect("live as long as their scope, and the journal folds to what the engine shows", () =>
    Effect.gen(function* () {
      const sandboxes = yield* Sandboxes
      const box = yield* Effect.scoped(
        Effect.gen(function* () {
          const made = yield* sandboxes.make({ env: { A: "1" }, labels: { team: "red" } })
          const inspect = yield* made.inspect
          assert.strictEqual(inspect.state.startedAtMillis, made.startedAtMillis)
          assert.strictEqual(inspect.createdAtMillis, made.createdAtMillis)
          assert.strictEqual(inspect.labels["team"], "red")
          assert.strictEqual(inspect.user, `${made.uid}:${made.uid}`)
          assert.strictEqual(yield* sandboxes.activeCount, 1)
          assert.strictEqual((yield* sandboxes.get(made.id)).containerId, made.containerId)
          assert.strictEqual(fold(yield* factsOf(made.id)).status, yield* made.state)
          yield* made.exec(["true"])
          return made
        })
      )
      assert.strictEqual(yield* sandboxes.activeCount, 0)
      assert.strictEqual((yield* Effect.flip(sandboxes.get(box.id)))._tag, "SandboxNotFound")
      const facts = yield* factsOf(box.id)
      assert.deepStrictEqual(
        facts.map(({ _tag }) => _tag),
        [
          "CreateIntended",
          "StartIntended",
          "Created",
          "Started",
          "ExecIntended",
          "ExecStarted",
          "ExecExited",
          "RemoveIntended",
          "Removed"
        ]
      )
      assert.isTrue(isTerminal(fold(facts)))
      yield* nothingLeft
    })
  )

  it.effect("are paused, resumed, stopped, restarted, killed and removed", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const script = "trap 'echo got TERM; exit 9' TERM; echo up; while :; do sleep 0.1; done"
      const box = yield* make({ command: ["sh", "-c", script], stopGrace: "5 seconds" })
      yield* box.pause
      yield* box.pause
      assert.strictEqual(yield* box.state, "paused")
      yield* box.resume
      yield* box.resume
      assert.strictEqual(yield* box.state, "running")
      const stopped = yield* box.stop()
      assert.deepInclude(stopped, { exitCode: 9, graceful: true })
      const log = yield* Stream.mkString(Stream.decodeText(Stream.map(box.logs(), (frame) => frame.bytes)))
      assert.include(log, "got TERM")
      assert.strictEqual(yield* box.state, "stopped")
      assert.strictEqual((yield* Effect.flip(box.pause))._tag, "SandboxNotRunning")
      yield* box.restart()
      assert.strictEqual(yield* box.state, "running")
      yield* box.restart()
      assert.deepInclude(yield* box.kill, { exitCode: 137, graceful: false })
      const exit = yield* box.awaitExit
      assert.deepInclude(exit, { exitCode: 137, oomKilled: false })
      yield* box.remove
      yield* box.remove
      const after = yield* Effect.flip(box.exec(["true"]))
      assert.strictEqual(after._tag === "SandboxNotRunning" && after.state, "removed")
      yield* nothingLeft
    })
  )

  it.effect("are killed when their grace time runs out, and say so", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] })
      yield* box.exec(["true"])
      const result = yield* box.stop({ grace: "1 second" })
      assert.deepInclude(result, { exitCode: 137, graceful: false })
      assert.isAtLeast(result.durationMillis, 1000)
      // Without the grace time of its own it would be ten seconds.
      assert.isBelow(result.durationMillis, 9000)
    })
  )

  it.effect("stop while paused, too", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make()
      yield* box.pause
      const result = yield* box.stop({ grace: "1 second" })
      assert.isBelow(result.durationMillis, 10_000)
      assert.strictEqual(yield* box.state, "stopped")
    })
  )

  it.effect("have a uid each when five are made at once, in overlapping time", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const boxes = yield* Effect.all(
        Array.from({ length: 5 }, () => make({ disk: "4M" })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(boxes.map(({ uid }) => uid)).size, 5)
      assert.strictEqual(new Set(boxes.map(({ id }) => id)).size, 5)
      // One after the other, each would have been started before the next was created.
      const overlaps = boxes.filter(({ createdAtMillis }) =>
        boxes.some((other) => other.createdAtMillis < createdAtMillis && createdAtMillis < other.startedAtMillis)
      )
      assert.isNotEmpty(overlaps)
      const ids = yield* Effect.forEach(boxes, (box) => box.execOk(["id", "-u"]), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        ids.map(({ stdout }) => Number(stdout)),
        boxes.map(({ uid }) => uid)
      )
    })
  )

  it.effect("leave nothing when their making is interrupted, at whatever moment", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      for (const delay of [0, 1, 5, 10, 20, 30, 45, 60, 80, 100, 130, 170]) {
        const fiber = yield* Effect.forkChild(Effect.scoped(Effect.andThen(make({ disk: "4M" }), Effect.never)))
        yield* Effect.sleep(delay)
        yield* Fiber.interrupt(fiber)
        yield* nothingLeft
      }
      const journal = yield* Journal
      assert.deepStrictEqual(yield* journal.streams({ category: "sandbox", open: true }), [])
    })
  )

  it.effect("leave nothing when they cannot be made: no image, no such program, bad options, danger", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const failure = (options: Parameters<typeof make>[0]) => Effect.flip(Effect.scoped(make(options)))
      assert.strictEqual((yield* failure({ image: "sbx-test/no-such-image" }))._tag, "ObjectNotFound")
      yield* nothingLeft
      // Below an init, so that the engine itself has started something: it ends with 127, as in a shell.
      const exit = yield* Effect.scoped(Effect.flatMap(make({ command: ["/no/such/program"] }), (box) => box.awaitExit))
      assert.strictEqual(exit.exitCode, 127)
      yield* nothingLeft
      assert.strictEqual((yield* failure({ cpus: -1 }))._tag, "InvalidSandboxOptions")
      assert.strictEqual((yield* failure({ network: "sbx-test-no-such-network" }))._tag, "ObjectNotFound")
      yield* nothingLeft
    })
  )

  it.effect("record an end that nobody asked for", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ command: ["sh", "-c", "sleep 0.3; exit 5"] })
      assert.deepInclude(yield* box.awaitExit, { exitCode: 5, oomKilled: false })
      assert.strictEqual(yield* box.state, "stopped")
      const died = (yield* factsOf(box.id)).find(({ _tag }) => _tag === "Died")
      assert.deepInclude(died, { exitCode: 5 })
    })
  )

  it.effect("stream their own facts from the first on, live", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make()
      const seen = yield* Effect.forkChild(
        box.events.pipe(
          Stream.map(({ payload }) => payload._tag),
          Stream.takeUntil((tag) => tag === "ExecExited"),
          Stream.runCollect
        )
      )
      yield* box.exec(["true"])
      const tags = yield* Fiber.join(seen)
      assert.deepStrictEqual(tags.slice(0, 4), ["CreateIntended", "StartIntended", "Created", "Started"])
    })
  )
})

describe("sandboxes at their limit", () => {
  const limited = (options: Partial<SandboxesModule.SandboxesOptions>) =>
    sandboxesLayer({ ...options, settings: { maxConcurrentSandboxes: 2 } })

  layer(limited({}), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("wait for their turn, and never more than the limit live", () =>
      Effect.gen(function* () {
        const { make, activeCount } = yield* Sandboxes
        let alive = 0
        let peak = 0
        const one = Effect.scoped(
          Effect.gen(function* () {
            yield* make({ disk: "4M" })
            alive += 1
            peak = Math.max(peak, alive, yield* activeCount)
            alive -= 1
          })
        )
        yield* Effect.all(
          Array.from({ length: 8 }, () => one),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(peak, 2)
        yield* nothingLeft
      })
    )
  })

  layer(limited({ atLimit: "fail" }), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("fail typed where they may not wait, and succeed after one is closed", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const scope = yield* Scope.make()
        yield* Scope.provide(make({ disk: "4M" }), scope)
        yield* make({ disk: "4M" })
        const error = yield* Effect.flip(make({ disk: "4M" }))
        assert.strictEqual(error._tag, "SandboxLimitReached")
        yield* Scope.close(scope, Exit.void)
        yield* make({ disk: "4M" })
      })
    )
  })
})

describe("sandboxes of a failed scope", () => {
  layer(sandboxesLayer({ settings: { cleanupOnFailure: false } }), { excludeTestServices: true })((it) => {
    it.effect("are kept for inspection when told so, and removed by hand", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const engine = yield* Engine
        const kept = yield* Deferred.make<Effect.Success<ReturnType<typeof make>>>()
        const failing = Effect.gen(function* () {
          yield* Deferred.succeed(kept, yield* make({ disk: "4M" }))
          return yield* Effect.fail("boom" as const)
        })
        assert.strictEqual(yield* Effect.flip(Effect.scoped(failing)), "boom")
        const box = yield* Deferred.await(kept)
        assert.isTrue((yield* engine.inspectContainer(box.containerId)).state.running)
        yield* box.remove
        yield* nothingLeft
      })
    )
  })
})

// From here on each has an engine double and a journal of its own, and most of them wait ten seconds: side by side.
describe.concurrent("sandboxes on an engine in trouble", () => {
  let isBroken = false
  const stuck = withEngine((engine) => ({
    ...engine,
    removeContainer: (id) =>
      Effect.suspend(() =>
        isBroken
          ? Effect.fail(new EngineFailure({ operation: "remove container", status: 500, detail: "device is busy" }))
          : engine.removeContainer(id)
      )
  }))

  layer(stuck, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("make a failed removal the failure of their scope, and can be removed later", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        isBroken = true
        let box: Effect.Success<ReturnType<typeof make>> | undefined
        const exit = yield* Effect.exit(Effect.scoped(Effect.map(make({ disk: "4M" }), (made) => void (box = made))))
        isBroken = false
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "device is busy")
        assert.strictEqual((yield* factsOf(box?.id ?? "")).at(-1)?._tag, "RemoveFailed")
        yield* box?.remove ?? Effect.void
        yield* nothingLeft
      })
    )
  })
})

describe.concurrent("sandboxes whose volume takes its time", () => {
  const asked = Deferred.makeUnsafe<void>()
  const volumeMade = Deferred.makeUnsafe<void>()
  const aborted = withEngine((engine) => ({
    ...engine,
    // An engine finishes what it was asked for, whether the caller still listens or not.
    createVolume: (spec) =>
      Deferred.succeed(asked, undefined).pipe(
        Effect.andThen(Effect.delay(engine.createVolume(spec), "1500 millis")),
        Effect.tap(() => Deferred.succeed(volumeMade, undefined)),
        Effect.forkDetach,
        Effect.flatMap(Fiber.join)
      )
  }))

  layer(aborted, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("leave no volume when interrupted while the engine makes it", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const fiber = yield* Effect.forkChild(Effect.scoped(make({ disk: "4M" })))
        yield* Deferred.await(asked)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(volumeMade)
        yield* nothingLeft
      })
    )
  })

  const lateMade = Deferred.makeUnsafe<void>()
  const lateVolume = withEngine((engine) => ({
    ...engine,
    createVolume: (spec) =>
      engine.createVolume(spec).pipe(
        Effect.delay("1500 millis"),
        Effect.tap(() => Deferred.succeed(lateMade, undefined)),
        Effect.forkDetach,
        Effect.andThen(new EngineTimeout({ operation: "create volume", timeoutMillis: 1 }))
      )
  }))

  layer(lateVolume, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("remove a volume that the engine makes after the caller has given up", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const exit = yield* Effect.exit(Effect.scoped(make({ disk: "4M" })))
        assert.include(String(exit), "EngineTimeout")
        yield* Deferred.await(lateMade)
        yield* nothingLeft
      })
    )
  })
})

describe.concurrent("sandboxes without a container yet", () => {
  const inGap = Deferred.makeUnsafe<void>()
  const gap = withEngine((engine) => ({
    ...engine,
    createVolume: (spec) =>
      Effect.tap(engine.createVolume(spec), () =>
        Effect.andThen(Deferred.succeed(inGap, undefined), Effect.sleep("300 millis"))
      )
  }))

  layer(gap, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("leave nothing when interrupted between volume and container", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const fiber = yield* Effect.forkChild(Effect.scoped(make({ disk: "4M" })))
        yield* Deferred.await(inGap)
        yield* Fiber.interrupt(fiber)
        yield* nothingLeft
        const journal = yield* Journal
        assert.deepStrictEqual(yield* journal.streams({ category: "sandbox", open: true }), [])
      })
    )
  })
})

describe.concurrent("sandboxes whose start takes its time", () => {
  const asked = Deferred.makeUnsafe<void>()
  const hanging = withEngine((engine) => ({
    ...engine,
    startContainer: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
  }))

  layer(hanging, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("are known to be there, and removed at once, when it is interrupted", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const fiber = yield* Effect.forkChild(Effect.scoped(make({ disk: "4M" })))
        yield* Deferred.await(asked)
        yield* Fiber.interrupt(fiber)
        yield* nothingLeft
        const journal = yield* Journal
        const [stream] = yield* journal.streams({ category: "sandbox" })
        const facts = yield* factsOf(stream?.name.slice("sandbox/".length) ?? "")
        assert.deepStrictEqual(
          facts.map(({ _tag }) => _tag),
          ["CreateIntended", "StartIntended", "Created", "RemoveIntended", "Removed"]
        )
        // The engine had answered: nobody waits until the create's deadline for what it might still make.
        const [intended] = facts
        assert.isBelow(
          facts.at(-1)?.atMillis ?? Number.NaN,
          intended?._tag === "CreateIntended" ? intended.deadlineMillis : Number.NaN
        )
      })
    )
  })
})

describe.concurrent("sandboxes on an engine that answers late", () => {
  const late = withEngine((engine) => ({
    ...engine,
    createContainer: (spec) =>
      engine
        .createContainer(spec)
        .pipe(
          Effect.delay("1500 millis"),
          Effect.forkDetach,
          Effect.andThen(new EngineTimeout({ operation: "create container", timeoutMillis: 1 }))
        )
  }))

  layer(late, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("remove what the engine makes after the caller has given up", () =>
      Effect.gen(function* () {
        const { make } = yield* Sandboxes
        const exit = yield* Effect.exit(Effect.scoped(make({ disk: "4M" })))
        assert.include(String(exit), "EngineTimeout")
        yield* nothingLeft
        const journal = yield* Journal
        assert.deepStrictEqual(yield* journal.streams({ category: "sandbox", open: true }), [])
      })
    )
  })
})
