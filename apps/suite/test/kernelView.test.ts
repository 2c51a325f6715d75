import { assert, describe, it } from "@effect/vitest"
import type { ExecResult } from "@sbx/core/Sandbox"
import * as Verdict from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import * as KernelView from "../src/internal/kernelView.ts"
import { caught, isNear, measured } from "../src/internal/measured.ts"

const version1 = [
  "cpuacct/cpuacct.usage 1500000000",
  "cpu/cpu.stat nr_periods 40",
  "cpu/cpu.stat nr_throttled 12",
  "memory/memory.usage_in_bytes 9000000",
  "memory/memory.stat inactive_file 1",
  "memory/memory.stat total_inactive_file 4000000",
  "pids/pids.current 5",
  "uptime 100.25"
]
const version2 = [
  "cpu.stat usage_usec 1500000",
  "cpu.stat nr_throttled 12",
  "memory.current 9000000",
  "memory.stat inactive_file 4000000",
  "pids.current 5",
  "uptime 100.25"
]
const view = { cpuNanos: 1.5e9, throttledPeriods: 12, memoryBytes: 5e6, tasks: 4, uptimeSeconds: 100.25 }

describe("the kernel's view", () => {
  it("is the same from both versions of cgroups", () => {
    assert.deepStrictEqual(KernelView.parse(version1.join("\n")), view)
    assert.deepStrictEqual(KernelView.parse(version2.join("\n")), view)
  })

  it("names what is not shown, whichever it is", () => {
    const needed = version1.filter((line) => !/nr_periods| inactive_file/.test(line))
    assert.lengthOf(needed, 6)
    // Without the charged memory it cannot be version 1.
    for (const line of needed.filter((one) => !one.includes("usage_in_bytes"))) {
      const name = line.slice(0, line.lastIndexOf(" "))
      assert.deepStrictEqual(KernelView.parse(needed.filter((one) => one !== line).join("\n")), [name])
    }
    assert.match(JSON.stringify(KernelView.parse("")), /"memory\.current"/)
  })

  it.effect("of a sandbox that shows nothing is undecidable", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array()
      const result: ExecResult = {
        argv: ["sh"],
        exitCode: 1,
        stdout: "",
        stderr: "cd: no such directory\n",
        stdoutBytes: bytes,
        stderrBytes: bytes,
        stdoutTruncated: false,
        stderrTruncated: false,
        durationMillis: 1
      }
      const error = yield* Effect.flip(KernelView.read({ exec: () => Effect.succeed(result) }))
      assert.strictEqual(error._tag, "Undecidable")
      assert.match(error.message, /does not show memory\.current.*no such directory/)
    })
  )

  it("gives cores as cpu over time", () => {
    assert.strictEqual(KernelView.cores(view, { ...view, cpuNanos: 2.5e9, uptimeSeconds: 102.25 }), 0.5)
  })
})

describe("a figure of the monitor", () => {
  const sample = {
    subject: "container",
    id: "c",
    name: "web",
    atMillis: 0,
    intervalMillis: undefined,
    values: { memoryBytes: 0 },
    absent: { cpuCores: "no-previous-reading" }
  } as const

  it.effect("is a value, be it zero, or undecidable with the reason", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* measured(sample, "memoryBytes"), 0)
      const missing = yield* Effect.flip(measured(sample, "cpuCores"))
      assert.strictEqual(missing.message, "Could not judge cpuCores of web: it was not measured (no-previous-reading).")
    })
  )

  it("is near within its share, and never when it is no number", () => {
    assert.isTrue(isNear(109, 100, 0.1))
    assert.isFalse(isNear(111, 100, 0.1))
    assert.isFalse(isNear(Number.NaN, 100, 0.1))
    assert.isFalse(isNear(1, Number.NaN, 0.1))
  })

  it("that was planted passes when it is caught only", () => {
    const verdicts = [Verdict.fail("leaks"), Verdict.pass, Verdict.unknown("too few")].map(caught)
    assert.deepStrictEqual(
      verdicts.map(({ _tag }) => _tag),
      ["pass", "fail", "unknown"]
    )
  })
})
