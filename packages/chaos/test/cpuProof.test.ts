import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allHold } from "../src/Evidence.ts"
import type { CpuRoom } from "../src/internal/cpuProof.ts"
import { judgeInjected, judgeReverted, reachable, requirement, sidecarQuota } from "../src/internal/cpuProof.ts"

const cores = (value: number) => ({ metric: "targetCpuCores", value, samples: 2, source: "test" })

const between = (minimum: number, maximum: number) =>
  Schema.Finite.pipe(Schema.check(Schema.isBetween({ minimum, maximum })))

const half: CpuRoom = { wanted: 1, limit: 0.5, hostCpus: 2 }

const judge = (baseline: number, target: number, sidecar: number, room = half) =>
  allHold(
    judgeInjected(
      { cores: cores(baseline), throttled: undefined },
      { target: cores(target), sidecar: cores(sidecar), throttled: undefined },
      room
    )
  )

describe("what a stress can reach", () => {
  it("is bounded by the target's quota and the host", () => {
    assert.strictEqual(reachable(half), 0.5)
    assert.strictEqual(reachable({ wanted: 0.2, limit: 0.5, hostCpus: 2 }), 0.2)
    assert.strictEqual(reachable({ wanted: 8, limit: undefined, hostCpus: 2 }), 2)
  })

  it("needs a quota of the sidecar's own only below the target's", () => {
    assert.strictEqual(sidecarQuota({ wanted: 0.2, limit: 0.5, hostCpus: 2 }, 20), 0.2)
    assert.isUndefined(sidecarQuota({ wanted: 0.8, limit: 0.5, hostCpus: 2 }, 80))
    assert.isUndefined(sidecarQuota({ wanted: 1, limit: undefined, hostCpus: 2 }, 100))
    assert.isUndefined(sidecarQuota({ wanted: 3.2, limit: undefined, hostCpus: 2 }, 80))
  })
})

describe("the proof of a stress", () => {
  it("holds where target and sidecar both rose", () => {
    assert.isTrue(judge(0, 0.5, 0.5))
    assert.isTrue(judge(0.1, 0.3, 0.2))
  })

  it("fails where one of them did not", () => {
    assert.isFalse(judge(0, 0.5, 0), "the target's own work")
    assert.isFalse(judge(0, 0, 0.5), "a sidecar elsewhere")
    assert.isFalse(judge(0, 0, 0), "nothing")
  })

  it("looks at the sidecar alone where the target is at its quota", () => {
    assert.isFalse(requirement(0.49, half).rises)
    assert.isTrue(judge(0.49, 0.5, 0.2))
    assert.isFalse(judge(0.49, 0.5, 0.01))
  })

  it("lists throttling where it rose", () => {
    const throttled = (value: number) => ({ ...cores(value), metric: "targetThrottledPerSecond" })
    const evidence = judgeInjected(
      { cores: cores(0), throttled: throttled(0) },
      { target: cores(0.5), sidecar: cores(0.5), throttled: throttled(9) },
      half
    )
    assert.deepStrictEqual(
      evidence.map((item) => item.metric),
      ["targetCpuCores", "targetCpuCores", "targetThrottledPerSecond"]
    )
  })

  const Case = [between(0, 0.6), between(0.01, 4), Schema.UndefinedOr(between(0.05, 2))] as const

  it.effect.prop("never takes an unchanged target for a stressed one", [...Case], ([baseline, wanted, limit]) =>
    Effect.sync(() => assert.isFalse(judge(baseline, baseline, 0, { wanted, limit, hostCpus: 2 })))
  )

  it.effect.prop("is undone by a return to the baseline, and only by that", [...Case], ([baseline, wanted, limit]) =>
    Effect.sync(() => {
      const room = { wanted, limit, hostCpus: 2 }
      const { cores: needed, rises } = requirement(baseline, room)
      const back = judgeReverted(cores(baseline), cores(baseline), room)
      assert.isTrue(back.every((item) => item.holds))
      const still = judgeReverted(cores(baseline), cores(baseline + needed * 1.01), room)
      assert.strictEqual(still.length, rises ? 1 : 0)
      assert.isTrue(still.every((item) => !item.holds))
    })
  )
})
