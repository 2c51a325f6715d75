import { assert, describe, it } from "@effect/vitest"
import { classifyExit, decide, defaults, noHistory, type RecoveryHistory } from "../src/Recovery.ts"

const error = { kind: "error", exitCode: 1 } as const
const facts = (nowMillis: number, ranMillis = 0, random = 0.5) => ({ nowMillis, ranMillis, random })

describe("recovery", () => {
  it("classifies exits by code and the engine's OOM flag alone", () => {
    const matrix: ReadonlyArray<readonly [number, boolean, string]> = [
      [0, false, "completed"],
      [1, false, "error"],
      [125, false, "error"],
      [126, false, "not-started"],
      [127, false, "not-started"],
      [128, false, "error"],
      [129, false, "signal"],
      [137, false, "signal"],
      [137, true, "out-of-memory"],
      [143, false, "signal"],
      [192, false, "signal"],
      [193, false, "error"],
      [255, false, "error"]
    ]
    for (const [exitCode, oomKilled, kind] of matrix) {
      assert.strictEqual(classifyExit({ exitCode, oomKilled }).kind, kind, `${exitCode} ${oomKilled}`)
    }
    assert.deepStrictEqual(classifyExit({ exitCode: 139, oomKilled: false }), { kind: "signal", signal: 11 })
  })

  it("doubles the delay up to its bound, and spreads it by the jitter", () => {
    const policy = { ...defaults, budget: 100, window: "1 hour" } as const
    let history: RecoveryHistory = noHistory
    const delays: Array<number> = []
    for (let turn = 0; turn < 9; turn += 1) {
      const outcome = decide(policy, history, error, facts(turn))
      history = outcome.history
      delays.push(outcome.decision.delayMillis)
    }
    assert.deepStrictEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    assert.strictEqual(decide(policy, noHistory, error, facts(0, 0, 0)).decision.delayMillis, 80)
    assert.strictEqual(decide(policy, noHistory, error, facts(0, 0, 1)).decision.delayMillis, 120)
  })

  it("gives up when the budget of the window is used, and has it back when the window has passed", () => {
    const policy = { ...defaults, budget: 2, window: "1 minute" } as const
    const first = decide(policy, noHistory, error, facts(1000))
    const second = decide(policy, first.history, error, facts(2000))
    const third = decide(policy, second.history, error, facts(3000))
    assert.deepStrictEqual(
      [first, second, third].map(({ decision }) => decision.decision),
      ["restart", "restart", "give-up"]
    )
    assert.include(third.decision.reason, "2 restarts within 1m")
    assert.strictEqual(decide(policy, second.history, error, facts(61_001)).decision.decision, "restart")
  })

  it("starts over with the first delay after a stable run", () => {
    const first = decide(defaults, noHistory, error, facts(0))
    const second = decide(defaults, first.history, error, facts(1))
    assert.strictEqual(second.decision.delayMillis, 200)
    assert.strictEqual(decide(defaults, first.history, error, facts(1, 10_000)).decision.delayMillis, 100)
  })

  it("does not restart what ended cleanly or cannot run", () => {
    for (const exit of [{ kind: "completed" }, { kind: "not-started", exitCode: 127 }] as const) {
      assert.strictEqual(decide(defaults, noHistory, exit, facts(0)).decision.decision, "give-up")
    }
  })
})
