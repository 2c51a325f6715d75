import { assert, describe, layer } from "@effect/vitest"
import { type Config, Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import * as ExecSession from "../src/ExecSession.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { eventually, processesWith } from "./support/hostView.ts"
import { baseImage, sandboxesLayer, tinyImage, withEngine } from "./support/sandboxesLayer.ts"

const openOn = Effect.fnUntraced(function* (image: Config.Config<string>) {
  const sandbox = yield* (yield* Sandboxes).make({ image: yield* image, disk: "8M", cpus: 2, stopGrace: "1 second" })
  return { sandbox, session: yield* ExecSession.open(sandbox) }
})

/** The words, the environment and the place arrive as they were given. */
const speaks = Effect.fnUntraced(function* (session: ExecSession.ExecSession) {
  const words = ["a b", "", "'q'\"", "two\nlines\n", "$HOME `id` \\", "héllo ☃ \u0081\u0088", "-n", "*"]
  const script = 'printf "%s|" "$@" "$A" "$PWD"; printf err >&2; exit 7'
  const env = { A: "x=y\n'z' é", sbx_n: "mine" }
  const { exitCode, stdout, stderr } = yield* session.exec(["sh", "-c", script, "sh", ...words], { env, cwd: "/tmp" })
  assert.deepStrictEqual(stdout.split("|"), [...words, env.A, "/tmp", ""])
  assert.deepStrictEqual({ exitCode, stderr }, { exitCode: 7, stderr: "err" })
  const after = yield* session.exec(["sh", "-c", 'echo "$A$sbx_n$sbx_m"; pwd; ls /proc/self/fd | wc -l; kill -9 $$'])
  // No word of the session is left in the environment, no descriptor beyond 0, 1, 2 and that of ls.
  assert.deepStrictEqual(after.stdout.split("\n"), ["", "/workspace", "4", ""])
  assert.deepInclude(after, { exitCode: 137, stderr: "" })
})

/** Any byte, in and out, more than pipes hold; input that nobody reads does not become the next command. */
const carries = Effect.fnUntraced(function* (session: ExecSession.ExecSession) {
  const big = Uint8Array.from({ length: 1024 * 1024 + 77 }, (_, index) => (index * 7 + (index >> 8)) % 256)
  const both = yield* session.exec(["sh", "-c", "tee /dev/stderr"], { stdin: big, outputLimitBytes: 2 ** 22 })
  assert.isTrue(Buffer.from(big).equals(both.stdoutBytes))
  assert.isTrue(Buffer.from(big).equals(both.stderrBytes))
  const cut = yield* session.exec(["cat"], { stdin: big, outputLimitBytes: 1000 })
  assert.deepInclude(cut, { exitCode: 0, stdoutTruncated: true, stderrTruncated: false })
  assert.strictEqual(cut.stdoutBytes.length, 1000)
  const unread = yield* session.exec(["head", "-c", "3"], { stdin: "1\necho wrong\n".repeat(20_000) })
  assert.strictEqual(unread.stdout, "1\ne")
  assert.strictEqual((yield* session.exec(["echo", "next"])).stdout, "next\n")
  assert.strictEqual((yield* session.exec(["cat"])).stdout, "")
})

const refuses = Effect.fnUntraced(function* (session: ExecSession.ExecSession) {
  const missing = yield* Effect.flip(session.exec(["no-such-program"]))
  assert.strictEqual(missing._tag === "CommandNotFound" && missing.reason, "not-found")
  const denied = yield* Effect.flip(session.exec(["/etc/passwd"]))
  assert.strictEqual(denied._tag === "CommandNotFound" && denied.reason, "not-executable")
  assert.strictEqual((yield* session.exec(["sh", "-c", "exit 127"])).exitCode, 127)
  const faults = [
    yield* Effect.flip(session.exec(["true"], { cwd: "/nowhere" })),
    yield* Effect.flip(session.exec([])),
    yield* Effect.flip(session.exec(["echo", "a\0b"])),
    yield* Effect.flip(session.exec(["true"], { env: { "A=": "" } }))
  ]
  assert.deepStrictEqual(
    faults.map((fault) => fault._tag === "SessionCommandInvalid" && fault.field),
    ["cwd", "argv", "argv", "env"]
  )
})

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "120 seconds" })("a session", (it) => {
  describe.each([
    ["busybox", tinyImage],
    ["dash", baseImage]
  ] as const)("of %s", (_, image) => {
    it.effect("runs commands with words, environment, place, input and both outputs of their own", () =>
      Effect.gen(function* () {
        const { session } = yield* openOn(image)
        yield* speaks(session)
        yield* carries(session)
        yield* refuses(session)
      })
    )

    it.effect("kills a command that takes too long, keeps its output, and goes on", () =>
      Effect.gen(function* () {
        const { session, sandbox } = yield* openOn(image)
        const script = "echo begun; (trap '' TERM; sleep 4321) & sleep 4321; echo never"
        const late = yield* Effect.flip(session.exec(["sh", "-c", script], { timeout: "300 millis" }))
        assert.deepInclude(late, { _tag: "ExecTimeout", rung: "host-pid", stdout: "begun\n", detail: "" })
        assert.strictEqual((yield* session.exec(["echo", "alive"])).stdout, "alive\n")
        const fiber = yield* Effect.forkChild(session.exec(["sleep", "4322"]))
        yield* eventually(
          Effect.sync(() => processesWith("sleep\x004322")),
          (pids) => pids.length > 0
        )
        yield* Fiber.interrupt(fiber)
        yield* session.exec(["sh", "-c", "sleep 4323 & echo left"])
        const top = yield* eventually(
          sandbox.exec(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]),
          ({ stdout }) => !stdout.includes("sleep 432")
        )
        assert.notInclude(top.stdout, "sleep 432")
        assert.isUndefined(yield* session.ended)
      })
    )
  })

  it.effect("carries what it is given, in the order in which it is asked", () =>
    Effect.gen(function* () {
      const { session } = yield* openOn(tinyImage)
      const asked = Array.from({ length: 8 }, (_, index) => session.exec(["sh", "-c", `echo ${index}; exit ${index}`]))
      const results = yield* Effect.all(asked, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        results.map(({ exitCode, stdout }) => [exitCode, stdout]),
        results.map((_, index) => [index, `${index}\n`])
      )
    })
  )

  it.effect("fails the running and the next commands when its shell dies", () =>
    Effect.gen(function* () {
      const { session, sandbox } = yield* openOn(tinyImage)
      const running = yield* Effect.flip(session.exec(["sh", "-c", "kill -9 $PPID; sleep 4324"]))
      assert.deepInclude(running, { _tag: "SessionEnded", exitCode: 137 })
      assert.deepInclude(yield* Effect.flip(session.exec(["true"])), { _tag: "SessionEnded", exitCode: 137 })
      assert.include((yield* session.ended)?.message, "exit code 137")
      const other = yield* ExecSession.open(sandbox)
      yield* other.exec(["true"])
      yield* sandbox.stop()
      assert.strictEqual((yield* Effect.flip(other.exec(["true"])))._tag, "SessionEnded")
    })
  )

  it.effect("ends with its scope, and with it what runs and what waits", () =>
    Effect.gen(function* () {
      const sandbox = yield* (yield* Sandboxes).make({ disk: "8M" })
      const scope = yield* Scope.make()
      const session = yield* Scope.provide(ExecSession.open(sandbox), scope)
      const fibers = yield* Effect.all([
        Effect.forkChild(Effect.flip(session.exec(["sleep", "4325"]))),
        Effect.forkChild(Effect.flip(session.exec(["echo", "waits"])))
      ])
      yield* eventually(
        Effect.sync(() => processesWith("sleep\x004325")),
        (pids) => pids.length > 0
      )
      yield* Scope.close(scope, Exit.void)
      const errors = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(
        errors.map(({ _tag }) => _tag),
        ["SessionEnded", "SessionEnded"]
      )
      assert.deepStrictEqual(processesWith("sleep\x004325"), [])
    })
  )

  it.effect("is refused for a handle that Sandboxes did not make", () =>
    Effect.gen(function* () {
      const sandbox = yield* (yield* Sandboxes).make({ disk: "8M" })
      const copy = { ...sandbox }
      assert.strictEqual((yield* Effect.flip(ExecSession.open(copy)))._tag, "SessionUnsupported")
    })
  )
})

/** An engine elsewhere: what it calls a host pid is none of this machine's. */
const elsewhere = withEngine((engine) => ({
  ...engine,
  inspectContainer: (id) =>
    Effect.map(engine.inspectContainer(id), (seen) => ({ ...seen, state: { ...seen.state, hostPid: undefined } }))
}))

layer(elsewhere, { excludeTestServices: true, timeout: "60 seconds" })("a session on an engine elsewhere", (it) => {
  it.effect("kills a command by an exec of kill, and goes on", () =>
    Effect.gen(function* () {
      const { session } = yield* openOn(tinyImage)
      const late = yield* Effect.flip(session.exec(["sleep", "4326"], { timeout: "200 millis" }))
      assert.deepInclude(late, { _tag: "ExecTimeout", rung: "kill-exec" })
      assert.deepStrictEqual(processesWith("sleep\x004326"), [])
      assert.strictEqual((yield* session.exec(["echo", "alive"])).stdout, "alive\n")
    })
  )
})

class Opened extends Context.Service<Opened, ExecSession.ExecSession>()("test/Opened") {}

const openedLayer = Layer.effect(
  Opened,
  Effect.map(openOn(tinyImage), ({ session }) => session)
).pipe(Layer.provide(sandboxesLayer()))

const Bytes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
const Code = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))

layer(openedLayer, { excludeTestServices: true, timeout: "60 seconds" })("one session", (it) => {
  it.effect.prop(
    "gives any bytes and any exit code back as they are",
    [Bytes, Bytes, Code],
    ([out, err, code]) =>
      Effect.gen(function* () {
        const session = yield* Opened
        // Not `head`: busybox reads more than it prints.
        const script = `dd bs=1 count=${out.length} 2>/dev/null; cat >&2; exit ${code}`
        const result = yield* session.exec(["sh", "-c", script], { stdin: Uint8Array.from([...out, ...err]) })
        assert.deepStrictEqual(
          [...result.stdoutBytes, -1, ...result.stderrBytes, -1, result.exitCode],
          [...out, -1, ...err, -1, code]
        )
      }),
    { arbitrary: { runs: 30, seed: "20260101" } }
  )
})
