import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { rules } from "../src/internal/lifecycleTable.ts"
import * as LifecycleState from "../src/LifecycleState.ts"
import { SandboxEvent } from "../src/SandboxEvent.ts"
import {
  decide,
  evolve,
  fold,
  LifecycleRejection,
  type RejectionReason,
  SandboxCommand,
  SandboxLifecycle
} from "../src/SandboxLifecycle.ts"
import { at, create, given, history, observed } from "./support/lifecycle.ts"

type Command = SandboxCommand

const then = (events: ReadonlyArray<SandboxEvent>, command: Command) => decide(command, fold(events))

const accepts = (events: ReadonlyArray<SandboxEvent>, command: Command, tags: ReadonlyArray<string>) => {
  const result = then(events, command)
  assert.isTrue(Result.isSuccess(result), `rejected: ${JSON.stringify(result)}`)
  if (Result.isSuccess(result))
    assert.deepStrictEqual(
      result.success.map((event) => event._tag),
      tags
    )
  return Result.isSuccess(result) ? fold(result.success, fold(events)) : fold(events)
}

const rejects = (events: ReadonlyArray<SandboxEvent>, command: Command, reason: RejectionReason) => {
  const result = then(events, command)
  assert.isTrue(Result.isFailure(result), "accepted")
  if (Result.isFailure(result)) assert.strictEqual(result.failure.reason, reason)
}

describe("intents", () => {
  it("lead from status to status", () => {
    assert.strictEqual(accepts([], create(1), ["CreateIntended"]).status, "creating")
    assert.strictEqual(accepts(given.created, { _tag: "Start", ...at }, ["StartIntended"]).status, "starting")
    assert.strictEqual(accepts(given.running, { _tag: "Pause", ...at }, ["PauseIntended"]).status, "running")
    assert.strictEqual(accepts(given.paused, { _tag: "Resume", ...at }, ["ResumeIntended"]).status, "paused")
    const stop = { _tag: "Stop", ...at, reason: "asked", graceMillis: 2000 } as const
    assert.strictEqual(accepts(given.running, stop, ["StopIntended"]).status, "stopping")
    assert.strictEqual(accepts(given.stopped, { _tag: "Start", ...at }, ["StartIntended"]).status, "starting")
    const remove = { _tag: "Remove", ...at, reason: "scope closed" } as const
    for (const events of Object.values(given)) {
      if (events.length > 0) assert.strictEqual(accepts(events, remove, ["RemoveIntended"]).status, "removing")
    }
  })

  it("to start is taken while the container is being made, once", () => {
    const wanted: ReadonlyArray<SandboxEvent> = [history.createIntended(1), { _tag: "StartIntended", ...at }]
    assert.strictEqual(
      accepts([history.createIntended(1)], { _tag: "Start", ...at }, ["StartIntended"]).status,
      "creating"
    )
    rejects(wanted, { _tag: "Start", ...at }, "in-flight")
    assert.strictEqual(fold([...wanted, history.made]).status, "starting")
    assert.strictEqual(fold([history.createIntended(1), history.made]).status, "created")
    // Failed before the container was seen: it is found created, and not waited for.
    const failed: ReadonlyArray<SandboxEvent> = [...wanted, { _tag: "StartFailed", ...at, reason: "" }]
    assert.deepInclude(fold(failed), { status: "creating", startWanted: false })
    assert.strictEqual(fold([...failed, history.made]).status, "created")
    // One look tells both, and what the next attempt wants is its own affair.
    accepts(wanted, { _tag: "Observe", atMillis: 900, container: observed({ startedAtMillis: 800 }) }, [
      "Created",
      "Started"
    ])
    const ended = fold([...wanted, history.made, history.started(800), history.died(850), history.createIntended(2)])
    assert.deepInclude(ended, { status: "creating", startWanted: false })
  })

  it("are rejected where they make no sense", () => {
    rejects(given.created, { _tag: "Pause", ...at }, "illegal-transition")
    rejects(given.running, { _tag: "Start", ...at }, "illegal-transition")
    rejects(given.running, { _tag: "Resume", ...at }, "illegal-transition")
    rejects(given.running, create(2), "illegal-transition")
    rejects(given.stopped, history.exec("x"), "illegal-transition")
    rejects(given.paused, history.exec("x"), "illegal-transition")
    rejects([], { _tag: "Remove", ...at, reason: "" }, "illegal-transition")
  })

  it("number attempts without gaps", () => {
    rejects([], create(2), "wrong-attempt")
    rejects(given.stopped, create(1), "wrong-attempt")
    const replaced = accepts(given.stopped, create(2), ["CreateIntended"])
    assert.strictEqual(replaced.status, "creating")
    assert.isUndefined(replaced.containerId)
  })

  it("do not overtake a pause under way", () => {
    rejects([...given.running, { _tag: "PauseIntended", ...at }], { _tag: "Pause", ...at }, "in-flight")
  })

  it("keep exec keys apart while they run", () => {
    const events: ReadonlyArray<SandboxEvent> = [...given.running, { ...history.exec("k"), _tag: "ExecIntended" }]
    rejects(events, history.exec("k"), "duplicate-exec")
    accepts(events, history.exec("other"), ["ExecIntended"])
  })

  it("survive a crash between stop and start of a restart", () => {
    const wanted: ReadonlyArray<SandboxEvent> = [
      ...given.running,
      { _tag: "RestartIntended", ...at, reason: "asked" },
      { _tag: "StopIntended", ...at, reason: "restart", graceMillis: 1 },
      { _tag: "Stopped", ...at, exitCode: 143, finishedAtMillis: 2000 }
    ]
    assert.isTrue(fold(wanted).restartWanted)
    assert.isFalse(fold([...wanted, { _tag: "StartIntended", ...at }, history.started(3000)]).restartWanted)
  })
})

describe("reports", () => {
  const report = (outcome: Extract<Command, { _tag: "Report" }>["outcome"]): Command => ({ _tag: "Report", outcome })

  it("settle intents", () => {
    assert.strictEqual(accepts([history.createIntended(1)], report(history.made), ["Created"]).status, "created")
    const failed = report({ _tag: "CreateFailed", ...at, reason: "no such image" })
    assert.strictEqual(accepts([history.createIntended(1)], failed, ["CreateFailed"]).status, "failed")
    const startFailed = report({ _tag: "StartFailed", ...at, reason: "no such program" })
    const starting: ReadonlyArray<SandboxEvent> = [...given.created, { _tag: "StartIntended", ...at }]
    assert.strictEqual(accepts(starting, startFailed, ["StartFailed"]).status, "created")
    assert.strictEqual(accepts(given.removing, report({ _tag: "Removed", ...at }), ["Removed"]).status, "removed")
  })

  it("leave a failed replacement stopped", () => {
    const state = accepts(
      [...given.stopped, history.createIntended(2)],
      report({ _tag: "CreateFailed", ...at, reason: "" }),
      ["CreateFailed"]
    )
    assert.strictEqual(state.status, "stopped")
  })

  it("tell nothing new when repeated", () => {
    accepts(given.created, report(history.made), [])
    accepts(given.running, report(history.started(1000)), [])
    accepts(given.paused, report({ _tag: "Paused", ...at }), [])
    accepts(given.stopped, report(history.died(2000)), [])
    const oom = { _tag: "OomKilled", ...at, engineEventId: "7" } as const
    accepts([...given.running, oom], report(oom), [])
    accepts([...given.removing, { _tag: "Removed", ...at }], report({ _tag: "Removed", ...at }), [])
  })

  it("keep a start that was over before it was reported", () => {
    const starting: ReadonlyArray<SandboxEvent> = [...given.created, { _tag: "StartIntended", ...at }]
    const state = accepts([...starting, history.died(1500)], report(history.started(1000)), ["Started"])
    assert.strictEqual(state.status, "stopped")
    assert.strictEqual(state.startedAtMillis, 1000)
    assert.strictEqual(state.exit?.finishedAtMillis, 1500)
  })

  it("let the stop's own outcome end a stop", () => {
    const stopping: ReadonlyArray<SandboxEvent> = [
      ...given.running,
      { _tag: "StopIntended", ...at, reason: "", graceMillis: 1 }
    ]
    const died = accepts(stopping, report(history.died(2000)), ["Died"])
    assert.strictEqual(died.status, "stopping")
    const stopped = { _tag: "Stopped", ...at, exitCode: 143, graceful: true, finishedAtMillis: 2000 } as const
    assert.strictEqual(accepts([...stopping, history.died(2000)], report(stopped), ["Stopped"]).status, "stopped")
  })

  it("are refused when they speak of something unknown", () => {
    rejects(given.running, report({ _tag: "ExecStarted", ...at, execKey: "?", execId: "e" }), "unknown-exec")
    rejects([...given.created], report({ ...history.made, containerId: "other" }), "illegal-transition")
    const late: ReadonlyArray<SandboxEvent> = [...given.created, { _tag: "RemoveIntended", ...at, reason: "" }]
    rejects(late, report({ ...history.made, containerId: "other" }), "other-container")
    rejects([...given.removing, { _tag: "Removed", ...at }], report(history.started(9000)), "terminal")
  })
})

describe("observations", () => {
  const see = (container: Extract<Command, { _tag: "Observe" }>["container"], atMillis = 0): Command => ({
    _tag: "Observe",
    atMillis,
    container
  })
  const absent = { _tag: "Absent" } as const

  it("abandon a create only at its deadline", () => {
    accepts([history.createIntended(1)], see(absent, 9_999), [])
    assert.strictEqual(accepts([history.createIntended(1)], see(absent, 10_000), ["CreateAbandoned"]).status, "failed")
  })

  it("adopt what a lost reply created, started and ended", () => {
    const seen = observed({ status: "exited", startedAtMillis: 1000, finishedAtMillis: 1100, exitCode: 3 })
    const state = accepts([history.createIntended(1)], see(seen), ["Created", "Started", "Died"])
    assert.strictEqual(state.exit?.exitCode, 3)
  })

  it("do not take the replaced container for the new one", () => {
    const replacing: ReadonlyArray<SandboxEvent> = [...given.stopped, { ...history.createIntended(2), replaces: "c1" }]
    accepts(replacing, see(observed({ status: "exited" })), [])
  })

  it("confirm a removal at once when the container was known, else at the create deadline", () => {
    accepts(given.removing, see(absent), ["Removed"])
    const early: ReadonlyArray<SandboxEvent> = [
      history.createIntended(1),
      { _tag: "RemoveIntended", ...at, reason: "" }
    ]
    accepts(early, see(absent, 9_999), [])
    accepts(early, see(absent, 10_000), ["Removed"])
  })

  it("find deaths, pauses and restarts from outside", () => {
    const running = { status: "running", startedAtMillis: 1000 } as const
    accepts(given.running, see(observed(running)), [])
    accepts(given.running, see(observed({ ...running, status: "paused" })), ["Paused"])
    accepts(given.paused, see(observed(running)), ["Resumed"])
    accepts(given.running, see(observed({ ...running, startedAtMillis: 5000 })), ["Started"])
    const exited = observed({ status: "exited", startedAtMillis: 1000, finishedAtMillis: 2000, exitCode: 137 })
    assert.strictEqual(accepts(given.running, see(exited), ["Died"]).status, "stopped")
    assert.strictEqual(accepts(given.running, see(absent), ["Vanished"]).containerId, undefined)
  })

  it("never invent an exit code", () => {
    const exited = { status: "exited", startedAtMillis: 1000 } as const
    accepts(given.running, see(observed(exited)), [])
    accepts(given.running, see(observed({ ...exited, finishedAtMillis: 2000 })), [])
    accepts(given.running, see(observed({ ...exited, exitCode: 1 })), [])
  })

  it("end a pause that never came", () => {
    const pausing: ReadonlyArray<SandboxEvent> = [...given.running, { _tag: "PauseIntended", atMillis: 0 }]
    const running = observed({ status: "running", startedAtMillis: 1000 })
    accepts(pausing, see(running, 9_999), [])
    accepts(pausing, see(running, 10_000), ["PauseFailed"])
  })
})

const event = Arbitrary.schema(SandboxEvent)
const command = Arbitrary.schema(SandboxCommand)

/** Arbitrary commands, and between them (by number) ones that the state accepts, so that deep states are reached. */
const commands = Arbitrary.array(Arbitrary.all([Arbitrary.schema(Schema.Int), command]), { maxLength: 60 })

const guided = (n: number, state: LifecycleState.LifecycleState): Command | undefined => {
  for (let i = 0; i < history.lifeLength; i++) {
    const candidate = history.life(n + i)
    const result = decide(candidate, state)
    if (Result.isSuccess(result) && result.success.length > 0) return candidate
  }
  return undefined
}

const play = (list: ReadonlyArray<readonly [number, Command]>) => {
  const events: Array<SandboxEvent> = []
  const statuses = new Set<string>()
  let state = SandboxLifecycle.initial
  for (const [n, wild] of list) {
    const result = decide(n % 3 === 0 ? wild : (guided(n, state) ?? wild), state)
    if (Result.isFailure(result)) continue
    for (const next of result.success) {
      state = evolve(state, next)
      statuses.add(state.status)
      events.push(next)
    }
  }
  return { state, events, statuses }
}

describe("properties", () => {
  it("start no rule from a terminal status", () => {
    for (const { from } of Object.values(rules)) {
      for (const end of ["removed", "failed", "lost"] as const) assert.notInclude(from, end)
    }
  })

  it.effect.prop(
    "evolve is total and counts what does not fit",
    [Arbitrary.array(event, { maxLength: 30 })],
    ([events]) =>
      Effect.sync(() => {
        let state = LifecycleState.initial
        for (const next of events) {
          const before = state
          state = evolve(state, next)
          if (state.counts.anomalies > before.counts.anomalies) {
            assert.deepStrictEqual({ ...state, counts: before.counts }, before)
          }
        }
      })
  )

  it.effect.prop("decide never yields an event that evolve does not take", [commands], ([list]) =>
    Effect.sync(() => assert.strictEqual(play(list).state.counts.anomalies, 0))
  )

  it.effect.prop("folding the events gives the state", [commands], ([list]) =>
    Effect.sync(() => {
      const { state, events } = play(list)
      assert.deepStrictEqual(fold(events), state)
    })
  )

  it.effect.prop("terminal statuses absorb everything", [commands, command, event], ([list, next, stray]) =>
    Effect.sync(() => {
      const { state } = play(list)
      for (const end of ["removed", "failed", "lost"] as const) {
        const dead = { ...state, status: end }
        const result = decide(next, dead)
        if (Result.isSuccess(result)) assert.deepStrictEqual(result.success, [])
        assert.strictEqual(evolve(dead, stray).status, end)
      }
    })
  )

  it.effect.prop("an observation repeated tells nothing new", [commands, command], ([list, next]) =>
    Effect.sync(() => {
      if (next._tag !== "Observe") return
      const { state } = play(list)
      const first = decide(next, state)
      if (Result.isFailure(first)) return assert.fail("an observation was rejected")
      const again = decide(next, fold(first.success, state))
      if (Result.isSuccess(again)) assert.deepStrictEqual(again.success, [])
    })
  )

  it.effect("reach every status, so that they mean something", () =>
    Effect.gen(function* () {
      const lists = yield* Arbitrary.sampleEffect(commands, { count: 200, seed: 1, size: 40 })
      const seen = new Set(lists.flatMap((list) => [...play(list).statuses]))
      const all = Object.values(rules).flatMap((rule) => rule.from)
      assert.deepStrictEqual(
        [...new Set(all)].filter((status) => status !== "requested" && !seen.has(status)),
        []
      )
      for (const end of ["removed", "failed", "lost"]) assert.isTrue(seen.has(end), end)
    })
  )
})

describe("recovery and health", () => {
  const health = (status: "healthy" | "unhealthy"): SandboxCommand => ({
    _tag: "Report",
    outcome: { _tag: "HealthChanged", ...at, check: "c", role: "liveness", status, flapping: false, reason: "" }
  })
  const about = { ...at, attempt: 1, decision: "restart" } as const
  const times = { failedAtMillis: 2000, recoveredAtMillis: 3000, downMillis: 1000, workspaceKept: true }
  const recovered: SandboxCommand = { _tag: "Report", outcome: { _tag: "Recovered", ...about, ...times } }

  it("are facts that change no status", () => {
    assert.strictEqual(accepts(given.running, health("unhealthy"), ["HealthChanged"]).status, "running")
    const attempted: SandboxCommand = { _tag: "Report", outcome: { _tag: "RecoveryAttempted", ...about } }
    assert.strictEqual(accepts(given.stopped, attempted, ["RecoveryAttempted"]).status, "stopped")
    assert.strictEqual(accepts(given.running, recovered, ["Recovered"]).counts.recoveries, 1)
    rejects([...given.removing, { _tag: "Removed", ...at }], recovered, "terminal")
  })

  it("are about one run: a start forgets what was said of the one before", () => {
    const sick = accepts(given.running, health("unhealthy"), ["HealthChanged"])
    assert.deepStrictEqual(sick.health, { c: "unhealthy" })
    assert.deepStrictEqual(fold([history.died(2000)], sick).health, { c: "unhealthy" })
    assert.deepStrictEqual(
      fold([history.died(2000), { _tag: "StartIntended", ...at }, history.started(3000)], sick).health,
      {}
    )
  })
})

it("names the command and the status in a rejection", () => {
  const error = new LifecycleRejection({ command: "Pause", status: "created", reason: "illegal-transition" })
  assert.include(error.message, "Could not Pause the sandbox: it is created")
})
