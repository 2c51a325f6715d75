import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import * as Exploration from "@sbx/sim/Exploration"
import * as Swarm from "@sbx/sim/Swarm"
import { World } from "@sbx/sim/World"

const kinds = { common: { share: 0.6, rate: 0.5 }, rare: { share: 0.2, rate: 0.1 }, never: { share: 0, rate: 1 } }

/** Violates its one invariant where the rare fault strikes the third time, which few seeds do. */
const program = Effect.gen(function* () {
  const swarm = Swarm.make(yield* World, "toy", kinds)
  for (let i = 0; i < 20; i++) {
    yield* Effect.sleep(yield* Random.nextIntBetween(1, 9))
    swarm.strikes("common")
    swarm.strikes("rare")
    swarm.strikes("never")
  }
  swarm.calm()
  const counts = swarm.counts()
  for (let i = 0; i < 50; i++) assert.isFalse(swarm.strikes("common"), "nothing strikes in the healthy phase")
  return { violations: (counts["rare"] ?? 0) >= 3 ? ["three rare faults"] : [], reached: counts }
})

const replay = (seed: number) => `replay --seed ${seed}`
const base = { from: 0, seeds: 400, program, replay, sometimes: ["common", "rare"] }

describe("an exploration", () => {
  it.effect("gives each seed a random subset of the faults, and counts the histories with each", () =>
    Effect.gen(function* () {
      const { histories, seeds } = yield* Exploration.explore({ ...base, patience: 1000 })
      assert.strictEqual(seeds, 400)
      assert.approximately((histories["common"] ?? 0) / seeds, 0.6, 0.1)
      assert.isBelow(histories["rare"] ?? 0, 80)
      assert.isAbove(histories["rare"] ?? 0, 5)
      assert.strictEqual(histories["never"], 0)
    })
  )

  it.effect("names the seeds that violate, with a command that repeats them", () =>
    Effect.gen(function* () {
      const report = yield* Exploration.explore(base)
      assert.isFalse(Exploration.isClean(report))
      const [first] = report.violations
      assert.deepStrictEqual(first?.violations, ["three rare faults"])
      assert.strictEqual(first?.replay, `replay --seed ${first?.seed}`)
      const again = yield* Exploration.explore({ ...base, from: first?.seed ?? -1, seeds: 1 })
      assert.deepStrictEqual(again.violations, report.violations.slice(0, 1))
      assert.include(Exploration.describe(report), `seed ${first?.seed} violates`)
    })
  )

  it.effect("is not clean when something declared was never reached", () =>
    Effect.gen(function* () {
      const harmless = Effect.map(program, ({ reached }) => ({ violations: [], reached }))
      const options = { ...base, program: harmless, seeds: 50 }
      assert.isTrue(Exploration.isClean(yield* Exploration.explore(options)))
      const report = yield* Exploration.explore({ ...options, sometimes: ["common", "never", "unheard of"] })
      assert.isFalse(Exploration.isClean(report))
      assert.deepStrictEqual(report.unreached, ["never", "unheard of"])
      assert.include(Exploration.describe(report), "never reached: unheard of")
    })
  )

  it.effect("counts a run that dies, hangs or cannot be repeated as a violation", () =>
    Effect.gen(function* () {
      const violation = (bad: Effect.Effect<Exploration.Judgement, string, World>) =>
        Effect.map(Exploration.explore({ ...base, seeds: 1, program: bad }), ({ violations }) =>
          String(violations[0]?.violations[0])
        )
      assert.include(yield* violation(Effect.die(new Error("boom"))), "boom")
      assert.include(yield* violation(Effect.fail("refused")), "refused")
      assert.include(yield* violation(Effect.never), "nothing is ready")
      let runs = 0
      const moody = Effect.suspend(() => Effect.as(Effect.sleep(++runs), { violations: [], reached: {} }))
      assert.include(yield* violation(moody), "Could not repeat seed 0")
    })
  )

  it.live("stops when its time is up", () =>
    Effect.gen(function* () {
      const report = yield* Exploration.explore({ from: 0, budget: 50, program, replay, sometimes: [], patience: 1e9 })
      assert.isAbove(report.seeds, 1)
      assert.isBelow(report.realMillis, 5000)
      assert.isAtLeast(report.realMillis, 50)
    })
  )
})
