import { assert, describe, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { EngineFailure } from "@sbx/engine/EngineError"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { start } from "../src/internal/execStart.ts"
import { kill } from "../src/internal/killLadder.ts"
import { internalsOf } from "../src/internal/sandboxInternals.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import { eventually, processesWith } from "./support/hostView.ts"
import { sandboxesLayer, withEngine } from "./support/sandboxesLayer.ts"

const sandbox = Effect.flatMap(Sandboxes, (sandboxes) => sandboxes.make())

/** Recorded facts of one sandbox so far. */
const recorded = Effect.fnUntraced(function* (id: string) {
  const journal = yield* Journal
  return yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(id))).pipe(
    Effect.map((events) => events.map((event) => event.payload))
  )
})

const text = (stream: Stream.Stream<Uint8Array, unknown>) => Stream.mkString(Stream.decodeText(stream))

/** A number that no other process of the machine has in its command line. */
const unique = (seed: number) => String(7_000_000 + (process.pid % 100_000) * 10 + seed)

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("exec in a sandbox", (it) => {
  it.effect("gives exit code, both outputs, argv, env, cwd, user and standard input", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const script = 'echo "$1|$GREETING|$(pwd)|$(id -u)"; cat; echo oops >&2; exit 7'
      const result = yield* box.exec(["sh", "-c", script, "sh", "a b"], {
        env: { GREETING: "hi" },
        cwd: "/tmp",
        stdin: "line\n"
      })
      assert.strictEqual(result.stdout, `a b|hi|/tmp|${box.uid}\nline\n`)
      assert.strictEqual(result.stderr, "oops\n")
      assert.strictEqual(result.exitCode, 7)
      assert.isAbove(result.durationMillis, 0)
      const other = yield* box.exec(["id", "-u"], { user: "1234:1234" })
      assert.strictEqual(other.stdout.trim(), "1234")
    })
  )

  it.effect("reports death by signal as 128 plus its number", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      assert.strictEqual((yield* box.exec(["sh", "-c", "kill -KILL $$"])).exitCode, 137)
    })
  )

  it.effect("kills everything inside on timeout and keeps the partial output", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const mark = unique(1)
      const script = `echo begun; sleep ${mark} & setsid sleep ${mark} & sleep ${mark}`
      const error = yield* Effect.flip(box.exec(["sh", "-c", script], { timeout: "700 millis" }))
      assert.strictEqual(error._tag, "ExecTimeout")
      if (error._tag !== "ExecTimeout") return
      assert.strictEqual(error.stdout, "begun\n")
      assert.strictEqual(error.rung, "host-pid")
      assert.deepStrictEqual(processesWith(mark), [])
      const last = (yield* recorded(box.id)).at(-1)
      assert.strictEqual(last?._tag, "ExecTimedOut")
      assert.strictEqual(yield* box.state, "running")
    })
  )

  it.effect("kills on timeout what dropped its environment, and a child in another session", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const mark = unique(7)
      const commands = [
        ["env", "-i", "sleep", mark],
        ["env", "-i", "sh", "-c", `setsid sleep ${mark} & sleep ${mark}`]
      ]
      for (const argv of commands) {
        const error = yield* Effect.flip(box.exec(argv, { timeout: "700 millis" }))
        assert.strictEqual(error._tag === "ExecTimeout" && error.rung, "host-pid")
        assert.deepStrictEqual(processesWith(mark), [])
      }
      assert.strictEqual(yield* box.state, "running")
    })
  )

  it.effect("kills what it started where the start cannot be recorded", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const mark = unique(11)
      const context = internalsOf(box)?.context
      assert(context !== undefined)
      const full = new JournalUnavailable({ operation: "append to", reason: "DiskFull", detail: "no space" })
      const recorder: typeof context.recorder = {
        ...context.recorder,
        report: (outcome) =>
          outcome._tag === "ExecStarted"
            ? eventually(
                Effect.sync(() => processesWith(mark)),
                (pids) => pids.length > 0
              ).pipe(Effect.orDie, Effect.andThen(Effect.fail(full)))
            : context.recorder.report(outcome)
      }
      const request = { stdin: false, timeoutMillis: 0 }
      const error = yield* Effect.flip(Effect.scoped(start({ ...context, recorder }, ["sleep", mark], {}, request)))
      assert.strictEqual(error, full)
      assert.deepStrictEqual(processesWith(mark), [])
    })
  )

  it.effect("kills inside when its fiber is interrupted", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const mark = unique(2)
      const fiber = yield* Effect.forkChild(box.exec(["sleep", mark]))
      yield* eventually(
        Effect.sync(() => processesWith(mark)),
        (pids) => pids.length > 0
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(processesWith(mark), [])
      assert.strictEqual((yield* recorded(box.id)).at(-1)?._tag, "ExecLost")
    })
  )

  it.effect("bounds captured output, counts and digests all of it", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const result = yield* box.exec(["sh", "-c", "head -c 3000000 /dev/zero; head -c 10 /dev/zero >&2"], {
        outputLimitBytes: 1000
      })
      assert.strictEqual(result.stdoutBytes.length, 1000)
      assert.isTrue(result.stdoutTruncated)
      assert.isFalse(result.stderrTruncated)
      const last = (yield* recorded(box.id)).at(-1)
      assert.strictEqual(last?._tag, "ExecExited")
      if (last?._tag !== "ExecExited") return
      assert.strictEqual(last.stdout.bytes, 3_000_000)
      // sha256 of 3,000,000 zero bytes, by sha256sum(1).
      const zeros = yield* box.exec(["sh", "-c", "head -c 3000000 /dev/zero | sha256sum"])
      assert.strictEqual(`${last.stdout.sha256}  -\n`, zeros.stdout)
    })
  )

  it.effect("tells a missing program from one that fails", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const missing = yield* Effect.flip(box.exec(["no-such-program"]))
      assert.strictEqual(missing._tag, "CommandNotFound")
      if (missing._tag === "CommandNotFound") assert.strictEqual(missing.reason, "not-found")
      yield* box.files.write("plain.txt", "text")
      const plain = yield* Effect.flip(box.exec(["/workspace/plain.txt"]))
      assert.strictEqual(plain._tag, "CommandNotFound")
      if (plain._tag === "CommandNotFound") assert.strictEqual(plain.reason, "not-executable")
      assert.strictEqual((yield* box.exec(["sh", "-c", "exit 127"])).exitCode, 127)
      const failure = yield* Effect.flip(box.execOk(["sh", "-c", "echo why >&2; exit 4"]))
      assert.strictEqual(failure._tag, "CommandFailed")
      assert.include(failure.message, "why")
    })
  )

  it.effect("refuses to run while paused or stopped, and says which", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      yield* box.pause
      const paused = yield* Effect.flip(box.exec(["true"]))
      assert.strictEqual(paused._tag === "SandboxNotRunning" && paused.state, "paused")
      yield* box.resume
      assert.strictEqual((yield* box.exec(["true"])).exitCode, 0)
      yield* box.stop()
      const stopped = yield* Effect.flip(box.exec(["true"]))
      assert.strictEqual(stopped._tag === "SandboxNotRunning" && stopped.state, "stopped")
    })
  )

  it.effect("says that a kill waits for the thaw when the sandbox is paused", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const mark = unique(3)
      const fiber = yield* Effect.forkChild(Effect.flip(box.exec(["sleep", mark], { timeout: "1500 millis" })))
      yield* eventually(
        Effect.sync(() => processesWith(mark)),
        (pids) => pids.length > 0
      )
      yield* box.pause
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "ExecTimeout" && error.rung, "pending-paused")
      assert.isAbove(processesWith(mark).length, 0)
      yield* box.resume
      yield* eventually(
        Effect.sync(() => processesWith(mark)),
        (pids) => pids.length === 0
      )
    })
  )

  describe("spawn", () => {
    it.effect("streams both outputs apart, takes input and its end", () =>
      Effect.gen(function* () {
        const box = yield* sandbox
        const child = yield* box.spawn(["sh", "-c", "echo err >&2; wc -c"], { stdin: true })
        yield* child.writeStdin(new TextEncoder().encode("12345"))
        yield* child.writeStdin(new TextEncoder().encode("67890"))
        yield* child.endStdin
        const [out, err] = yield* Effect.all([text(child.stdout), text(child.stderr)], { concurrency: 2 })
        assert.strictEqual(out.trim(), "10")
        assert.strictEqual(err, "err\n")
        assert.strictEqual(yield* child.exitCode, 0)
      })
    )

    it.effect("kills the whole group by signal, and with its scope", () =>
      Effect.gen(function* () {
        const box = yield* sandbox
        const mark = unique(4)
        const scope = yield* Scope.make()
        const child = yield* Scope.provide(box.spawn(["sh", "-c", `sleep ${mark} & sleep ${mark} & wait`]), scope)
        yield* eventually(
          Effect.sync(() => processesWith(mark)),
          (pids) => pids.length >= 3
        )
        assert.strictEqual(yield* child.kill("TERM"), "host-pid")
        assert.strictEqual(yield* child.exitCode, 143)
        assert.strictEqual(yield* child.kill("KILL"), "already-dead")
        yield* Scope.close(scope, Exit.void)
        const second = yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* box.spawn(["sh", "-c", `trap '' TERM; sleep ${mark}; sleep ${mark}`])
            yield* eventually(
              Effect.sync(() => processesWith(mark)),
              (pids) => pids.length >= 2
            )
            return other
          })
        )
        assert.deepStrictEqual(processesWith(mark), [])
        assert.strictEqual(yield* second.exitCode, 137)
      })
    )

    it.effect("kills children that outlived their parent when the scope closes", () =>
      Effect.gen(function* () {
        const box = yield* sandbox
        const mark = unique(5)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const child = yield* box.spawn(["sh", "-c", `sleep ${mark} >/dev/null 2>&1 & exit 0`])
            assert.strictEqual(yield* child.exitCode, 0)
            assert.isAbove(processesWith(mark).length, 0)
          })
        )
        assert.deepStrictEqual(processesWith(mark), [])
      })
    )

    it.effect("does not stall a process whose output nobody reads, and keeps the beginning", () =>
      Effect.gen(function* () {
        const box = yield* sandbox
        const child = yield* box.spawn(["sh", "-c", "head -c 20000000 /dev/zero"])
        assert.strictEqual(yield* child.exitCode, 0)
        const kept = yield* Stream.runFold(
          child.stdout,
          () => 0,
          (sum, chunk) => sum + chunk.length
        )
        assert.isAbove(kept, 500_000)
        assert.isBelow(kept, 20_000_000)
      })
    )

    it.effect("gives every byte to a slow reader", () =>
      Effect.gen(function* () {
        const box = yield* sandbox
        const child = yield* box.spawn(["sh", "-c", "sleep 0.3; head -c 8000000 /dev/zero"])
        const total = yield* Stream.runFoldEffect(
          child.stdout,
          () => 0,
          (sum, chunk) => Effect.as(Effect.yieldNow, sum + chunk.length)
        )
        assert.strictEqual(total, 8_000_000)
      })
    )
  })

  // Each on a sandbox of its own, and two of them wait five seconds: side by side.
  describe.concurrent("kill ladder", () => {
    const climb = Effect.fnUntraced(function* (argv: ReadonlyArray<string>, seed: number, user?: string) {
      const engine = yield* Engine
      const box = yield* sandbox
      const mark = unique(seed)
      const child = yield* box.spawn([...argv, mark])
      yield* eventually(
        Effect.sync(() => processesWith(mark)),
        (pids) => pids.length > 0
      )
      const started = (yield* recorded(box.id)).find((event) => event._tag === "ExecStarted")
      const marker = started?._tag === "ExecStarted" ? started.execKey : ""
      const target = { containerId: box.containerId, marker, execId: child.execId, user }
      const wait = eventually(
        Effect.sync(() => processesWith(mark)),
        (pids) => pids.length === 0
      )
      return { engine, target, wait }
    })

    it.effect("climbs from an exec of kill that finds nothing to the container while the process lives", () =>
      Effect.gen(function* () {
        const { engine, target, wait } = yield* climb(["env", "-i", "sleep"], 8)
        assert.strictEqual(yield* kill(engine, target, "KILL", ["kill-exec", "container"]), "container")
        yield* wait
      })
    )

    it.effect("climbs to the container where there is no grep to find the marker with", () =>
      Effect.gen(function* () {
        const { engine, target, wait } = yield* climb(["sleep"], 9)
        const codes = new Set<number | undefined>()
        const bare: Engine["Service"] = {
          ...engine,
          exec: (id, spec) =>
            engine.exec(id, { ...spec, argv: spec.argv.with(2, `grep() { return 127; }\n${spec.argv[2]}`) }),
          inspectExec: (id) =>
            Effect.tap(engine.inspectExec(id), ({ exitCode }) => Effect.sync(() => void codes.add(exitCode)))
        }
        assert.strictEqual(yield* kill(bare, target, "KILL", ["kill-exec", "container"]), "container")
        assert.include([...codes], 4)
        yield* wait
      })
    )

    it.effect("refuses to call a living process dead, and to end the container for less than KILL", () =>
      Effect.gen(function* () {
        const { engine, target } = yield* climb(["env", "-i", "sleep"], 0)
        const error = yield* Effect.flip(kill(engine, target, "TERM", ["kill-exec", "container"]))
        assert.strictEqual(error._tag, "EngineConflict")
      })
    )

    it.effect("reaches the group by an exec of kill where the host's /proc is out of reach", () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        // The marker is not the first variable.
        const box = yield* (yield* Sandboxes).make({ env: { A: "1", Z: "2" } })
        const mark = unique(6)
        const child = yield* box.spawn(["sh", "-c", `sleep ${mark} & sleep ${mark} & wait`], { env: { B: "3" } })
        yield* eventually(
          Effect.sync(() => processesWith(mark)),
          (pids) => pids.length >= 3
        )
        const target = yield* Effect.map(recorded(box.id), (events) => {
          const started = events.find((event) => event._tag === "ExecStarted")
          return started?._tag === "ExecStarted" ? started : undefined
        })
        const rung = yield* kill(
          engine,
          { containerId: box.containerId, marker: target?.execKey ?? "", execId: child.execId, user: undefined },
          "KILL",
          ["kill-exec", "container"]
        )
        assert.strictEqual(rung, "kill-exec")
        assert.deepStrictEqual(processesWith(mark), [])
        assert.strictEqual(yield* box.state, "running")
      })
    )
  })
})

let isBroken = false
const broken = withEngine((engine) => ({
  ...engine,
  inspectContainer: (id) =>
    Effect.suspend(() =>
      isBroken
        ? Effect.fail(new EngineFailure({ operation: "inspect container", status: 500, detail: "no memory" }))
        : engine.inspectContainer(id)
    )
}))

layer(broken, { excludeTestServices: true, timeout: "60 seconds" })("exec on an engine in trouble", (it) => {
  it.effect("keeps the partial output, and records the timeout, where the kill fails", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      isBroken = true
      yield* Effect.addFinalizer(() => Effect.sync(() => void (isBroken = false)))
      const error = yield* Effect.flip(box.exec(["sh", "-c", "echo begun; sleep 1000"], { timeout: "500 millis" }))
      assert.strictEqual(error._tag, "ExecTimeout")
      if (error._tag !== "ExecTimeout") return
      assert.deepStrictEqual([error.stdout, error.rung], ["begun\n", "not-killed"])
      assert.include(error.message, "no memory")
      const last = (yield* recorded(box.id)).at(-1)
      assert.strictEqual(last?._tag === "ExecTimedOut" && last.rung, "not-killed")
    })
  )
})
