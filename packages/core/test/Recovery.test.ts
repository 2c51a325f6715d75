import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { FailureClass } from "../src/FailureClass.ts"
import {
  type Action,
  decide,
  type Decision,
  defaults,
  evolve,
  issuesOf,
  noHistory,
  type RecoveryHistory,
  type RecoveryPolicy
} from "../src/Recovery.ts"
import type { FailureKind, SandboxEvent } from "../src/SandboxEvent.ts"

const error: FailureClass = { kind: "error", exitCode: 1 }
const facts = (nowMillis: number, random = 0.5) => ({ nowMillis, random, hasContainer: true })

/** A classified failure and the decision on it, as the supervisor records them. */
const turn = (
  policy: RecoveryPolicy,
  history: RecoveryHistory,
  atMillis: number,
  ranMillis = 0
): { readonly decision: Decision; readonly history: RecoveryHistory } => {
  const classified: SandboxEvent = {
    _tag: "FailureClassified",
    atMillis,
    failure: "error",
    failedAtMillis: atMillis,
    ranMillis,
    oomKills: 0,
    reason: ""
  }
  const seen = evolve(policy, history, classified)
  const decision = decide(policy, seen, error, facts(atMillis))
  return { decision, history: evolve(policy, seen, { _tag: "RecoveryDecided", atMillis, ...decision }) }
}

describe("recovery", () => {
  it("does for each class what the policy says", () => {
    const all: Readonly<Record<FailureKind, FailureClass>> = {
      completed: { kind: "completed" },
      error,
      "not-started": { kind: "not-started", exitCode: 127 },
      signal: { kind: "signal", signal: 9, witnessed: false },
      "out-of-memory": { kind: "out-of-memory", victim: "main" },
      "start-failed": { kind: "start-failed", detail: "" },
      vanished: { kind: "vanished", detail: "" },
      unhealthy: { kind: "unhealthy", check: "", detail: "" }
    }
    const actions: ReadonlyArray<Action> = ["restart", "recreate", "terminate", "give-up"]
    for (const failure of Object.values(all)) {
      for (const action of actions) {
        const policy = { ...defaults, actions: { ...defaults.actions, [failure.kind]: action } }
        assert.strictEqual(decide(policy, noHistory, failure, facts(0)).decision, action, failure.kind)
      }
      assert.strictEqual(decide(defaults, noHistory, failure, facts(0)).decision, defaults.actions[failure.kind])
    }
  })

  it("recreates what it is to restart and is gone", () => {
    assert.strictEqual(decide(defaults, noHistory, error, { ...facts(0), hasContainer: false }).decision, "recreate")
    const given = { ...defaults, actions: { ...defaults.actions, error: "give-up" as const } }
    assert.strictEqual(decide(given, noHistory, error, { ...facts(0), hasContainer: false }).decision, "give-up")
  })

  it("doubles the delay up to its bound, and spreads it by the jitter", () => {
    const policy = { ...defaults, budget: 100, window: "1 hour" } as const
    let history = noHistory
    const delays: Array<number> = []
    for (let at = 0; at < 9; at += 1) {
      const outcome = turn(policy, history, at)
      history = outcome.history
      delays.push(outcome.decision.delayMillis)
    }
    assert.deepStrictEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    assert.strictEqual(decide(policy, noHistory, error, facts(0, 0)).delayMillis, 80)
    assert.strictEqual(decide(policy, noHistory, error, facts(0, 1)).delayMillis, 120)
  })

  it("gives up when the budget of the window is used, and has it back when the window has passed", () => {
    const policy = { ...defaults, budget: 2, window: "1 minute" } as const
    const first = turn(policy, noHistory, 1000)
    const second = turn(policy, first.history, 2000)
    const third = turn(policy, second.history, 3000)
    assert.deepStrictEqual(
      [first, second, third].map(({ decision }) => decision.decision),
      ["restart", "restart", "give-up"]
    )
    assert.include(third.decision.reason, "2 restarts within 1m")
    assert.strictEqual(turn(policy, second.history, 61_001).decision.decision, "restart")
    const strict = turn({ ...policy, whenSpent: "terminate" }, second.history, 3000)
    assert.strictEqual(strict.decision.decision, "terminate")
  })

  it("starts over with the first delay after a stable run, but not with the budget", () => {
    const first = turn(defaults, noHistory, 0)
    assert.strictEqual(turn(defaults, first.history, 1).decision.delayMillis, 200)
    const stable = turn(defaults, first.history, 20_000, 10_000)
    assert.strictEqual(stable.decision.delayMillis, 100)
    assert.strictEqual(stable.decision.attempt, 2)
  })

  it("takes back what a skipped restart has used", () => {
    const first = turn(defaults, noHistory, 0)
    const second = turn(defaults, first.history, 1)
    const skipped = evolve(defaults, second.history, {
      _tag: "RecoverySkipped",
      atMillis: 2,
      attempt: 2,
      decision: "restart",
      reason: ""
    })
    assert.deepStrictEqual({ ...skipped, before: undefined }, { ...first.history, before: undefined })
  })

  it("names every value that makes no sense", () => {
    assert.deepStrictEqual(issuesOf(defaults), [])
    const bad = { ...defaults, factor: 0.5, jitter: 2, budget: 1.5, window: 0, initialDelay: -1, attemptTimeout: 0 }
    const text = issuesOf(bad).join("; ")
    for (const name of ["factor", "jitter", "budget", "window", "initialDelay", "attemptTimeout"]) {
      assert.include(text, name)
    }
    assert.strictEqual(issuesOf(bad).length, 6)
  })

  const Turns = Schema.Array(Schema.Struct({ gap: Schema.Int, ran: Schema.Int }))

  it.effect.prop("never exceeds its budget in any window, nor its longest delay", [Turns], ([turns]) =>
    Effect.sync(() => {
      const policy = { ...defaults, budget: 3, window: "1 second", maxDelay: "1 second" } as const
      let history = noHistory
      let now = 0
      const decided: Array<number> = []
      for (const { gap, ran } of turns) {
        now += Math.abs(gap % 700)
        const outcome = turn(policy, history, now, Math.abs(ran % 20_000))
        history = outcome.history
        assert.isAtMost(outcome.decision.delayMillis, 1000)
        if (outcome.decision.decision === "restart") decided.push(now)
      }
      for (const at of decided) {
        assert.isAtMost(decided.filter((other) => other > at - 1000 && other <= at).length, 3)
      }
    })
  )
})
