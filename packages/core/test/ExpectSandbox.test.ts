import { EngineTimeout, ObjectNotFound } from "@sbx/engine/EngineError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ExpectSandbox from "../src/ExpectSandbox.ts"
import { parseReading } from "../src/internal/cgroupReading.ts"
import type { ExecResult } from "../src/Sandbox.ts"
import { spec } from "./support/spec.ts"

type Answer = Partial<Pick<ExecResult, "exitCode" | "stdout" | "stderr" | "stdoutTruncated">>

/** A sandbox that answers each program with a fixed result. */
const answering = (answers: Readonly<Record<string, Answer>>) => ({
  spec,
  exec: (argv: ReadonlyArray<string>): Effect.Effect<ExecResult> =>
    Effect.succeed({
      argv,
      exitCode: 0,
      stdout: "",
      stderr: "",
      stdoutBytes: new Uint8Array(),
      stderrBytes: new Uint8Array(),
      stdoutTruncated: false,
      stderrTruncated: false,
      durationMillis: 1,
      ...answers[argv[0] ?? ""]
    })
})

const file: Answer = { stdout: "644 5 regular file\n" }
const missing: Answer = { exitCode: 1, stderr: "stat: can't stat '/x': No such file or directory\n" }
const denied: Answer = { exitCode: 1, stderr: "stat: can't stat '/x': Permission denied\n" }
const tagOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), (error) => error._tag)

describe("existence", () => {
  const absent = new ObjectNotFound({ operation: "inspect", kind: "container", id: "x" })
  const timeout = new EngineTimeout({ operation: "inspect", timeoutMillis: 1 })

  it.effect("is the state that was asked for", () =>
    Effect.gen(function* () {
      const sandbox = { id: "sbx_x", state: Effect.succeed("paused" as const) }
      yield* ExpectSandbox.exists(sandbox, "paused")
      const error = yield* Effect.flip(ExpectSandbox.exists(sandbox))
      assert.include(error.message, "Expected the state of sbx_x to be running, found paused")
    })
  )

  it.effect("is refuted by the engine's not-found only", () =>
    Effect.gen(function* () {
      yield* ExpectSandbox.doesNotExist("x", absent)
      assert.strictEqual(yield* tagOf(ExpectSandbox.doesNotExist("x", Effect.succeed(1))), "ExpectationFailed")
      assert.strictEqual(yield* tagOf(ExpectSandbox.doesNotExist("x", timeout)), "EngineTimeout")
    })
  )
})

describe("files", () => {
  it.effect("exist or not by the kernel's word, and nothing else is taken for it", () =>
    Effect.gen(function* () {
      const there = answering({ stat: file })
      const gone = answering({ stat: missing })
      const hidden = answering({ stat: denied })
      assert.deepStrictEqual(yield* ExpectSandbox.fileExists(there, "/x"), {
        mode: 0o644,
        sizeBytes: 5,
        kind: "regular file"
      })
      yield* ExpectSandbox.fileAbsent(gone, "/x")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileExists(gone, "/x")), "ExpectationFailed")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileAbsent(there, "/x")), "ExpectationFailed")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileAbsent(hidden, "/x")), "Undecidable")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileExists(hidden, "/x")), "Undecidable")
    })
  )

  it.effect("have a mode", () =>
    Effect.gen(function* () {
      const there = answering({ stat: { stdout: "4755 5 regular file\n" } })
      yield* ExpectSandbox.fileMode(there, "/x", 0o4755)
      const error = yield* Effect.flip(ExpectSandbox.fileMode(there, "/x", 0o755))
      assert.include(error.message, "to be 0755, found 04755")
    })
  )

  it.effect("have a content and a checksum", () =>
    Effect.gen(function* () {
      const sum = "a".repeat(64)
      const there = answering({ stat: file, cat: { stdout: "hello" }, sha256sum: { stdout: `${sum}  /x\n` } })
      yield* ExpectSandbox.fileContent(there, "/x", "hello")
      yield* ExpectSandbox.fileChecksum(there, "/x", sum)
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileContent(there, "/x", "other")), "ExpectationFailed")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileChecksum(there, "/x", "b".repeat(64))), "ExpectationFailed")
    })
  )

  it.effect("that cannot be read are not judged", () =>
    Effect.gen(function* () {
      const unreadable = answering({ stat: file, cat: { exitCode: 1 }, sha256sum: { exitCode: 1 } })
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileContent(unreadable, "/x", "")), "Undecidable")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileChecksum(unreadable, "/x", "")), "Undecidable")
      const cut = answering({ stat: file, cat: { stdout: "he", stdoutTruncated: true } })
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileContent(cut, "/x", "he")), "Undecidable")
    })
  )
})

const v1 = (facts: Readonly<Record<string, string | number>>) => {
  const values = {
    "memory/memory.limit_in_bytes": 268_435_456,
    "memory/memory.max_usage_in_bytes": 1_000_000,
    "cpu/cpu.cfs_quota_us": 50_000,
    "cpu/cpu.cfs_period_us": 100_000,
    "pids/pids.max": 128,
    nofile: 1024,
    ...facts
  }
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}\n`)
    .join("")
}

const v2 = "memory.max 268435456\nmemory.peak 5\ncpu.max 50000 100000\npids.max 128\npids.peak 3\nnofile 1024\n"

describe("limits", () => {
  const judged = (stdout: string) => ExpectSandbox.limitsRespected(answering({ sh: { stdout } }))

  it.effect("are respected when the kernel shows them, on cgroup v1 and v2", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* judged(v1({}))).memoryPeakBytes, 1_000_000)
      assert.strictEqual((yield* judged(v2)).pidsPeak, 3)
    })
  )

  it.effect.each([
    { "memory/memory.limit_in_bytes": "9223372036854771712" },
    { "memory/memory.limit_in_bytes": 512 * 1024 ** 2 },
    { "memory/memory.max_usage_in_bytes": 268_435_457 },
    { "cpu/cpu.cfs_quota_us": -1 },
    { "cpu/cpu.cfs_quota_us": 100_000 },
    { "pids/pids.max": "max" },
    { nofile: "unlimited" }
  ])("are broken by %j", (facts) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* tagOf(judged(v1(facts))), "ExpectationFailed")
    })
  )

  it.effect("are not judged when the kernel does not show them", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* tagOf(judged("nofile 1024\n")), "Undecidable")
      assert.strictEqual(yield* tagOf(judged(v2.replace("memory.peak 5\n", ""))), "Undecidable")
      const broken = answering({ sh: { exitCode: 2, stderr: "sh: can't cd" } })
      assert.strictEqual(yield* tagOf(ExpectSandbox.limitsRespected(broken)), "Undecidable")
    })
  )

  it("without end are infinite, never absent", () => {
    const reading = parseReading("memory.max max\ncpu.max max 100000\npids.max max\n")
    assert.strictEqual(reading.memoryLimitBytes, Number.POSITIVE_INFINITY)
    assert.strictEqual(reading.cpus, Number.POSITIVE_INFINITY)
    assert.isUndefined(reading.openFiles)
  })
})
