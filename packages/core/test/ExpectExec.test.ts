import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ExpectationFailed } from "../src/Expect.ts"
import * as ExpectExec from "../src/ExpectExec.ts"
import type { ExecResult } from "../src/Sandbox.ts"

const result = (facts: Partial<ExecResult>): ExecResult => ({
  argv: ["sh", "-c", "it"],
  exitCode: 0,
  stdout: "out\n",
  stderr: "err\n",
  stdoutBytes: new Uint8Array(),
  stderrBytes: new Uint8Array(),
  stdoutTruncated: false,
  stderrTruncated: false,
  durationMillis: 100,
  ...facts
})

const ok = result({})
const bad = result({ exitCode: 2 })
const killed = result({ exitCode: 137 })

const table: ReadonlyArray<
  readonly [string, Effect.Effect<void, ExpectationFailed>, Effect.Effect<void, ExpectationFailed>]
> = [
  ["success", ExpectExec.succeeded(ok), ExpectExec.succeeded(bad)],
  ["failure", ExpectExec.failed(bad), ExpectExec.failed(ok)],
  ["exit code", ExpectExec.exitCode(bad, 2), ExpectExec.exitCode(bad, 3)],
  ["signal", ExpectExec.signal(killed, "SIGKILL"), ExpectExec.signal(killed, "SIGTERM")],
  ["stdout text", ExpectExec.stdout(ok, "out"), ExpectExec.stdout(ok, "nothing")],
  ["stdout pattern", ExpectExec.stdout(ok, /^o.t$/m), ExpectExec.stdout(ok, /x/)],
  [
    "stdout predicate",
    ExpectExec.stdout(ok, { name: "short", matches: (text) => text.length < 5 }),
    ExpectExec.stdout(ok, { name: "long", matches: (text) => text.length > 5 })
  ],
  ["stderr", ExpectExec.stderr(ok, "err"), ExpectExec.stderr(ok, "out")],
  ["duration", ExpectExec.durationBelow(ok, "1 second"), ExpectExec.durationBelow(ok, "100 millis")]
]

describe("a command's result", () => {
  it.effect.each(table)("is judged by %s, green and red", ([, green, red]) =>
    Effect.gen(function* () {
      yield* green
      const error = yield* Effect.flip(red)
      for (const part of [
        'argv: ["sh", "-c", "it"]',
        "exit code: ",
        "duration: 100 ms",
        "stdout: out",
        "stderr: err"
      ]) {
        assert.include(error.message, part)
      }
    })
  )

  it.effect("does not remember where a global pattern stopped", () =>
    Effect.gen(function* () {
      const pattern = /out/g
      yield* ExpectExec.stdout(ok, pattern)
      yield* ExpectExec.stdout(ok, pattern)
    })
  )

  it.effect("is shown by the tail of long output", () =>
    Effect.gen(function* () {
      const long = result({ exitCode: 1, stdout: `${"x".repeat(10_000)}END`, stdoutTruncated: true })
      const error = yield* Effect.flip(ExpectExec.succeeded(long))
      assert.isBelow(error.message.length, 3000)
      assert.include(error.message, "END (truncated)")
    })
  )
})
