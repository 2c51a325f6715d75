import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { acknowledging, evolve, initial, phaseOf, step } from "../src/AlertDecider.ts"
import type { AlertCommand } from "../src/AlertDecider.ts"
import type { AlertEvent, Comparison } from "../src/AlertEvent.ts"
import type { Given } from "./alertTrace.ts"
import { commandsOf, observe, play, rule, short, subject } from "./alertTrace.ts"

describe("firing and resolving", () => {
  it("fires once an episode, however long it lasts, and counts episodes", () => {
    const trace = observe(rule(), 79, 81, 90, 99, 85, 70, 60, 81, 70)
    assert.strictEqual(short(trace), "F2 R6 F8 R9")
    assert.deepStrictEqual(
      trace.events.map(({ episode }) => episode),
      [1, 1, 2, 2]
    )
  })

  it("does not fire at the threshold with >, and does with >=", () => {
    assert.strictEqual(short(observe(rule({ comparison: ">" }), 80, 80, 80.001)), "F3")
    assert.strictEqual(short(observe(rule({ comparison: ">=" }), 79.999, 80)), "F2")
  })

  it("resolves at the threshold with >, and only below it with >=", () => {
    assert.strictEqual(short(observe(rule({ comparison: ">" }), 81, 80)), "F1 R2")
    assert.strictEqual(short(observe(rule({ comparison: ">=" }), 81, 80, 79.999)), "F1 R3")
  })

  it("takes a value that flaps within the hysteresis band for one episode", () => {
    const band = rule({ resolveThreshold: 70 })
    assert.strictEqual(short(observe(band, 81, 79, 81, 71, 85, 79, 70)), "F1 R7")
    assert.strictEqual(short(observe(rule(), 81, 79, 81, 71, 85, 79, 70)), "F1 R2 F3 R4 F5 R6")
  })

  it("does not fire again within the cooldown, and does at its end when the breach is still there", () => {
    const cooling = rule({ cooldown: "5 seconds" })
    assert.strictEqual(short(observe(cooling, 81, 70, 81, 70, 81, 81, 81, 81)), "F1 R2 F7")
    const set = play(cooling, [
      ...commandsOf([81, 70]),
      { _tag: "Observe", value: 81, atMillis: 500, intervalMillis: 1000 }
    ])
    assert.strictEqual(short(set), "F1 R2 F0.5", "a clock set back before the resolve silences nothing")
  })
})

describe("pending", () => {
  const held = rule({ for: "3 seconds" })

  it("holds for the whole time before it fires", () => {
    const trace = observe(held, 81, 81, 81, 81)
    assert.strictEqual(short(trace), "F4")
    assert.strictEqual(trace.events[0]?._tag === "AlertFired" && trace.events[0].heldMillis, 3000)
    assert.strictEqual(phaseOf(observe(held, 81, 81, 81).state), "pending")
  })

  it("begins anew after one value that does not breach", () => {
    assert.strictEqual(short(observe(held, 81, 81, 81, 80, 81, 81, 81)), "")
    assert.strictEqual(short(observe(held, 81, 81, 81, 80, 81, 81, 81, 81)), "F8")
  })

  it("does not count the time in which nothing was measured", () => {
    assert.strictEqual(short(observe(held, 81, 81, undefined, undefined, 81, 81)), "")
    assert.strictEqual(short(observe(held, 81, 81, undefined, undefined, 81, 81, 81)), "F7")
    const noInterval: AlertCommand = { _tag: "Observe", value: 99, atMillis: 60_000, intervalMillis: undefined }
    assert.strictEqual(short(play(held, [noInterval, noInterval, noInterval])), "")
  })

  it("ends without a word when the target is lost", () => {
    const trace = observe(held, 81, 81, "lost")
    assert.strictEqual(short(trace), "")
    assert.strictEqual(phaseOf(trace.state), "inactive")
  })
})

describe("what is not measured", () => {
  it("neither fires nor resolves", () => {
    assert.strictEqual(short(observe(rule(), undefined, Number.NaN, Number.POSITIVE_INFINITY)), "")
    const firing = observe(rule(), 81, undefined, Number.NaN, undefined)
    assert.strictEqual(short(firing), "F1")
    assert.strictEqual(phaseOf(firing.state), "firing")
  })

  it("resolves a firing alert when the target is lost, with that reason and no value", () => {
    const trace = observe(rule(), 81, undefined, "lost")
    assert.strictEqual(short(trace), "F1 L3")
    assert.isFalse("value" in (trace.events[1] ?? {}))
  })
})

describe("acknowledgement", () => {
  it("stays with the episode, is recorded once, and does not resolve", () => {
    const trace = observe(rule(), 81, "ack", 90, undefined, "ack", 95)
    assert.strictEqual(short(trace), "F1 A2")
    const { episode } = trace.state
    assert.deepStrictEqual(episode._tag === "firing" && episode.acknowledged, {
      by: "op",
      note: "on it",
      atMillis: 2000
    })
  })

  it("is not inherited by the next episode", () => {
    const { episode } = observe(rule(), 81, "ack", 70, 81).state
    assert.isTrue(episode._tag === "firing" && episode.acknowledged === undefined)
  })

  it("is refused where nothing is firing", () => {
    const command = { _tag: "Acknowledge", by: "op", note: "", atMillis: 1 } as const
    const here = step(rule(), subject, initial, command)
    const key = { rule: "memory", containerId: "c0ffee" }
    const there = acknowledging(key).decide(command, observe(rule(), 81, 70).state)
    for (const refused of [Result.map(here, () => undefined), Result.map(there, () => undefined)])
      assert.isTrue(Result.isFailure(refused) && refused.failure.message.startsWith("Could not acknowledge"))
  })
})

/** Rules and observations on a coarse grid, so that thresholds are met exactly. */
const between = (minimum: number, maximum: number) =>
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum })))
const Rules = Schema.Struct({
  comparison: Schema.Literals([">", ">="]),
  band: between(0, 3),
  forSeconds: between(0, 3),
  cooldownSeconds: between(0, 4)
})
const Value = between(0, 6)
const Givens = Schema.Array(Schema.Union([Value, Value, Value, Schema.Undefined, Schema.Literals(["lost", "ack"])]))
const runs = { arbitrary: { runs: 500 } }

const ruleOf = ({ band, comparison, cooldownSeconds, forSeconds }: typeof Rules.Type) =>
  rule({
    comparison,
    threshold: 4,
    resolveThreshold: 4 - band,
    for: forSeconds * 1000,
    cooldown: cooldownSeconds * 1000
  })

/** What was given at the time of an event. */
const at = (given: ReadonlyArray<Given>, { atMillis }: AlertEvent) => given[atMillis / 1000 - 1]

const beyond = (comparison: Comparison, value: Given, level: number) =>
  typeof value === "number" && (comparison === ">" ? value > level : value >= level)

/** Seconds of uninterrupted breach that end at an index, gaps taken out: the machine's own sum, told backwards from the whole list. */
const heldUntil = (given: ReadonlyArray<Given>, index: number, comparison: Comparison) => {
  let seconds = 0
  let later = true
  for (let i = index - 1; i >= 0; i--) {
    const value = given[i]
    if (value === "ack") continue
    if (value === undefined) later = false
    else if (!beyond(comparison, value, 4)) break
    else {
      if (later) seconds++
      later = true
    }
  }
  return seconds
}

describe("for any rule and any observations", () => {
  const prop = (title: string, holds: (options: typeof Rules.Type, given: ReadonlyArray<Given>) => void) =>
    it.effect.prop(title, [Rules, Givens], ([options, given]) => Effect.sync(() => holds(options, given)), runs)

  prop("two episodes never overlap, and only a firing alert is acknowledged", (options, given) => {
    let open = 0
    for (const { _tag } of observe(ruleOf(options), ...given).events) {
      if (_tag === "AlertFired") assert.strictEqual(++open, 1)
      else if (_tag === "AlertResolved") assert.strictEqual(--open, 0)
      else assert.strictEqual(open, 1)
    }
  })

  prop("nothing fires that did not hold for long enough, or within the cooldown", (options, given) => {
    let resolvedAt = Number.NEGATIVE_INFINITY
    for (const event of observe(ruleOf(options), ...given).events) {
      if (event._tag === "AlertResolved") resolvedAt = event.atMillis
      if (event._tag !== "AlertFired") continue
      const index = event.atMillis / 1000 - 1
      assert.isTrue(beyond(options.comparison, given[index], 4))
      assert.isAtLeast(heldUntil(given, index, options.comparison), options.forSeconds)
      assert.isAtLeast(event.atMillis - resolvedAt, options.cooldownSeconds * 1000)
    }
  })

  prop("without a time to hold and a cooldown, every breach is part of an episode", (options, given) => {
    const of = ruleOf({ ...options, forSeconds: 0, cooldownSeconds: 0 })
    given.forEach((value, index) => {
      const phase = phaseOf(observe(of, ...given.slice(0, index + 1)).state)
      if (beyond(options.comparison, value, 4)) assert.strictEqual(phase, "firing")
      if (typeof value === "number" && !beyond(options.comparison, value, of.resolveThreshold))
        assert.notStrictEqual(phase, "firing")
    })
  })

  prop("what is not measured leads to nothing, and a recovery was measured", (options, given) => {
    for (const event of observe(ruleOf(options), ...given).events) {
      const value = at(given, event)
      assert.notStrictEqual(value, undefined)
      if (event._tag !== "AlertResolved") continue
      if (event.reason === "target-lost") assert.strictEqual(value, "lost")
      else assert.isFalse(beyond(options.comparison, value, 4 - options.band))
    }
  })

  prop("what is on record is the state, apart from what is pending", (options, given) => {
    const { events, state } = observe(ruleOf(options), ...given)
    assert.deepStrictEqual(events.reduce(evolve, initial), { episode: state.episode, pending: undefined })
  })

  prop("a process that begins in the middle fires no earlier, and goes on with the same episode", (options, given) => {
    const of = ruleOf(options)
    const half = Math.floor(given.length / 2)
    const commands = commandsOf(given)
    const before = play(of, commands.slice(0, half))
    const restarted = { ...before.state, pending: undefined }
    const [here, there] = [before.state, restarted].map((state) => play(of, commands.slice(half), state))
    const fired = (events: ReadonlyArray<AlertEvent> = []) => events.find(({ _tag }) => _tag === "AlertFired")
    if (phaseOf(before.state) === "firing") assert.deepStrictEqual(there, here)
    else
      assert.isAtMost(
        fired(here?.events)?.atMillis ?? Number.POSITIVE_INFINITY,
        fired(there?.events)?.atMillis ?? Number.POSITIVE_INFINITY
      )
  })
})
