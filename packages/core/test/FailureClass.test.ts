import { assert, describe, it } from "@effect/vitest"
import { classify, describe as tell, kinds, type Sign } from "../src/FailureClass.ts"

type Exit = Extract<Sign, { readonly sign: "exit" }>

const exit = (exitCode: number, facts: Partial<Exit> = {}): Sign => ({
  sign: "exit",
  exitCode,
  oomFlag: false,
  oomKills: 0,
  earlierOomKills: 0,
  signalsSent: [],
  ...facts
})

/** What was seen and what it must be taken for: each class with what resembles it most. */
const cases: ReadonlyArray<readonly [string, Sign, string]> = [
  ["a clean end", exit(0), "completed"],
  ["a clean end after a child was killed for memory", exit(0, { oomFlag: true, oomKills: 1 }), "completed"],
  ["a clean end after a signal that was handled", exit(0, { signalsSent: [15] }), "completed"],
  ["an error code", exit(1), "error"],
  ["the last code below init's own", exit(125), "error"],
  ["128, which is no signal", exit(128), "error"],
  ["193, beyond the last signal", exit(193), "error"],
  ["255", exit(255), "error"],
  ["an error long after a child was killed for memory", exit(3, { oomFlag: true, earlierOomKills: 1 }), "error"],
  ["126", exit(126), "not-started"],
  ["127", exit(127), "not-started"],
  ["no such program", { sign: "start-failed", detail: "x", refusal: "not-found" }, "not-started"],
  ["no executable", { sign: "start-failed", detail: "x", refusal: "not-executable" }, "not-started"],
  ["SIGHUP", exit(129), "signal"],
  ["SIGKILL by the engine", exit(137, { signalsSent: [9] }), "signal"],
  ["SIGKILL by somebody else", exit(137), "signal"],
  ["SIGKILL long after a child was killed for memory", exit(137, { oomFlag: true, earlierOomKills: 2 }), "signal"],
  ["SIGSEGV", exit(139), "signal"],
  ["the last real-time signal", exit(192), "signal"],
  ["killed for memory, by the flag", exit(137, { oomFlag: true }), "out-of-memory"],
  ["killed for memory, by the counter alone", exit(137, { oomKills: 1 }), "out-of-memory"],
  ["a child killed for memory, and the parent gave up", exit(1, { oomKills: 1 }), "out-of-memory"],
  ["a child killed for memory, by the flag", exit(2, { oomFlag: true }), "out-of-memory"],
  [
    "sick since a child was killed for memory",
    { sign: "unhealthy", check: "c", detail: "d", oomKills: 1 },
    "out-of-memory"
  ],
  ["sick", { sign: "unhealthy", check: "c", detail: "out of memory", oomKills: 0 }, "unhealthy"],
  ["gone", { sign: "vanished", detail: "killed by signal 9" }, "vanished"],
  ["an engine that does not start it", { sign: "start-failed", detail: "exit code 137, OOM" }, "start-failed"]
]

describe("failure classes", () => {
  it("form a confusion matrix with nothing off its diagonal", () => {
    const matrix = new Map<string, Map<string, number>>()
    const confused: Array<string> = []
    for (const [name, sign, expected] of cases) {
      const { kind } = classify(sign)
      const row = matrix.get(expected) ?? new Map<string, number>()
      matrix.set(expected, row.set(kind, (row.get(kind) ?? 0) + 1))
      if (kind !== expected) confused.push(`${name}: ${kind}, expected ${expected}`)
    }
    assert.deepStrictEqual(confused, [])
    assert.deepStrictEqual([...matrix.keys()].sort(), [...kinds].sort(), "a class without a case")
    for (const [expected, row] of matrix) assert.deepStrictEqual([...row.keys()], [expected])
  })

  it("tell a signal that was seen from one that is only a number", () => {
    assert.deepStrictEqual(classify(exit(143, { signalsSent: [15] })), { kind: "signal", signal: 15, witnessed: true })
    assert.deepStrictEqual(classify(exit(143, { signalsSent: [9] })), { kind: "signal", signal: 15, witnessed: false })
  })

  it("tell the main process from a child as the victim", () => {
    assert.deepStrictEqual(classify(exit(137, { oomKills: 1 })), { kind: "out-of-memory", victim: "main" })
    assert.deepStrictEqual(classify(exit(1, { oomKills: 1 })), { kind: "out-of-memory", victim: "child" })
  })

  it("are told apart by figures, whatever the texts say", () => {
    for (const detail of ["OOM", "signal 9", "exit code 0", "not found"]) {
      assert.strictEqual(classify({ sign: "vanished", detail }).kind, "vanished")
      assert.strictEqual(classify({ sign: "start-failed", detail }).kind, "start-failed")
      assert.strictEqual(classify({ sign: "unhealthy", check: detail, detail, oomKills: 0 }).kind, "unhealthy")
    }
  })

  it("have a text that names their figures", () => {
    assert.strictEqual(tell(classify(exit(137, { signalsSent: [9] }))), "killed by signal 9, sent through the engine")
    assert.strictEqual(tell(classify(exit(3))), "error: exit code 3")
    assert.strictEqual(tell(classify(exit(1, { oomKills: 1 }))), "out-of-memory: a child was killed")
    const sick = classify({ sign: "unhealthy", check: "web", detail: "no answer", oomKills: 0 })
    assert.strictEqual(tell(sick), "unhealthy: web: no answer")
  })
})
