import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as HealthCheck from "../src/HealthCheck.ts"
import { damping, flapWindow, type Health, initial, issuesOf, type Level, next } from "../src/HealthCheck.ts"
import { killCounterPath } from "../src/internal/hostCgroup.ts"
import { cpuPercent, judge, memoryPercent, parseDf } from "../src/internal/resourceReading.ts"

const timing = { failureThreshold: 3, successThreshold: 2 }
const after = (levels: ReadonlyArray<Level>, from: Health = initial, thresholds = timing) =>
  levels.reduce((health, level) => next(thresholds, health, level), from)
const times = (count: number, ...levels: ReadonlyArray<Level>) => Array.from({ length: count }, () => levels).flat()

describe("the status of a check", () => {
  it("follows a table", () => {
    const table: ReadonlyArray<readonly [ReadonlyArray<Level>, string]> = [
      [[], "unknown"],
      [["ok"], "unknown"],
      [["ok", "ok"], "healthy"],
      [["critical", "critical"], "unknown"],
      [["critical", "critical", "critical"], "unhealthy"],
      [["ok", "ok", "critical", "critical"], "healthy"],
      [["ok", "ok", "critical", "critical", "ok"], "healthy"],
      [["ok", "ok", "critical", "critical", "ok", "critical"], "healthy"],
      [["ok", "ok", "critical", "critical", "critical"], "unhealthy"],
      [["ok", "ok", "critical", "critical", "critical", "ok"], "unhealthy"],
      [["ok", "ok", "critical", "critical", "critical", "ok", "ok"], "healthy"],
      [["ok", "ok", "warn", "warn", "warn"], "degraded"],
      // The least that was seen throughout.
      [["ok", "ok", "warn", "critical", "critical"], "degraded"],
      [["ok", "ok", "warn", "critical", "critical", "critical", "critical", "critical"], "unhealthy"],
      [[...times(3, "critical"), "warn", "ok"], "degraded"],
      // What could not be looked at is neither.
      [["ok", "ok", "critical", "unknown", "critical", "critical"], "unhealthy"],
      [["ok", "ok", "unknown", "unknown"], "healthy"],
      [["ok", "ok", "unknown", "unknown", "unknown"], "unknown"],
      [["ok", "ok", "unknown", "unknown", "unknown", "ok", "ok"], "healthy"]
    ]
    for (const [levels, expected] of table) assert.strictEqual(after(levels).status, expected, levels.join(" "))
  })

  it("needs more looks to change while the check flaps, and as many as ever when it has calmed down", () => {
    const eager = { failureThreshold: 1, successThreshold: 1 }
    let health = after(["ok"], initial, eager)
    let changes = 0
    for (const level of times(30, "critical", "ok")) {
      const then = next(eager, health, level)
      if (then.status !== health.status) changes += 1
      health = then
    }
    assert.isTrue(health.flapping)
    // Half a window of flips goes through before it is known for what it is; then none does.
    assert.isAtMost(changes, flapWindow / 2)
    assert.strictEqual(after(times(damping - 1, "critical"), health, eager).status, health.status)
    assert.strictEqual(after(times(damping, "critical"), health, eager).status, "unhealthy")
    const calm = after(times(flapWindow, "ok"), health, eager)
    assert.isFalse(calm.flapping)
    assert.strictEqual(after(["critical"], calm, eager).status, "unhealthy")
  })

  const Levels = Schema.Array(Schema.Literals(["ok", "warn", "critical", "unknown"]))

  it.effect.prop("is unhealthy only after enough critical looks, and remembers a bounded past", [Levels], ([levels]) =>
    Effect.sync(() => {
      let health = initial
      levels.forEach((level, index) => {
        const before = health.status
        health = next(timing, health, level)
        assert.isAtMost(health.recent.length, flapWindow)
        if (health.status === "unhealthy" && before !== "unhealthy") {
          const seen = levels.slice(0, index + 1).filter((each) => each !== "unknown")
          assert.deepStrictEqual(seen.slice(-3), times(3, "critical"))
        }
      })
    })
  )
})

describe("resources", () => {
  it("are judged by the worst against warn and critical", () => {
    const use = (cpu?: number, memory?: number, disk?: number) => judge({ cpu, memory, disk }, HealthCheck.thresholds)
    const table: ReadonlyArray<readonly [ReturnType<typeof use>, string]> = [
      [use(69.9, 79.9, 79.9), "ok"],
      [use(70, 0, 0), "warn"],
      [use(90, 0, 0), "critical"],
      [use(0, 80, 0), "warn"],
      [use(0, 95, 0), "critical"],
      [use(0, 0, 80), "warn"],
      [use(0, 0, 95), "critical"],
      [use(75, 96, 0), "critical"],
      [use(undefined, 10, undefined), "ok"],
      [use(), "unknown"]
    ]
    for (const [{ level, detail }, expected] of table) assert.strictEqual(level, expected, detail)
    assert.strictEqual(use(75, 96).detail, "cpu 75 %, memory 96 %")
  })

  it("are percent of the sandbox's own limits, and absent where nobody tells", () => {
    const mark = (usageNanos: number, atMillis: number) => ({ usageNanos, atMillis })
    assert.strictEqual(cpuPercent(mark(0, 0), mark(250e6, 1000), 0.5), 50)
    assert.isUndefined(cpuPercent(undefined, mark(1, 1), 1))
    assert.isUndefined(cpuPercent(mark(5, 0), mark(1, 1), 1), "a counter that went back")
    assert.isUndefined(cpuPercent(mark(1, 5), mark(1, 5), 1), "no time between")
    const memory = { usageBytes: 90, inactiveFileBytes: 40, limitBytes: 100, maxUsageBytes: undefined }
    assert.strictEqual(memoryPercent(memory), 50)
    assert.isUndefined(memoryPercent({ ...memory, limitBytes: undefined }))
    assert.isUndefined(memoryPercent(undefined))
    const df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/loop1 3000 1500 1500 51% /workspace\n"
    assert.strictEqual(parseDf(df), 51)
    assert.isUndefined(parseDf("sh: df: not found"))
  })

  it("count kills by the file that the kernel keeps, cgroup v1 and v2", () => {
    assert.strictEqual(
      killCounterPath("11:cpu,cpuacct:/docker/a\n4:memory:/docker/a:b\n"),
      "/sys/fs/cgroup/memory/docker/a:b/memory.oom_control"
    )
    assert.strictEqual(
      killCounterPath("0::/system.slice/a.scope\n"),
      "/sys/fs/cgroup/system.slice/a.scope/memory.events"
    )
    assert.isUndefined(killCounterPath("0::/\n"))
    assert.isUndefined(killCounterPath(""))
  })
})

describe("checks", () => {
  it("have what a role needs, and let a policy act on liveness alone", () => {
    const probe = HealthCheck.port(80)
    assert.isTrue(HealthCheck.liveness("a", probe).recover)
    assert.isFalse(HealthCheck.readiness("b", probe).recover)
    assert.isFalse(HealthCheck.resources().recover)
    assert.isTrue(HealthCheck.resources({}, { recover: true }).recover)
    assert.strictEqual(HealthCheck.custom("d", () => Effect.succeed({ level: "ok", detail: "" })).role, "custom")
  })

  it("are refused with every value that makes no sense", () => {
    const good = HealthCheck.liveness("a", HealthCheck.command(["true"]))
    assert.deepStrictEqual(issuesOf([good, HealthCheck.resources()]), [])
    const bad = [
      good,
      HealthCheck.readiness("a", HealthCheck.port(80), { interval: 0, timeout: 0, initialDelay: -1 }),
      HealthCheck.resources({ cpu: { warn: 90, critical: 70 } }, { failureThreshold: 0, successThreshold: 1.5 })
    ]
    const text = issuesOf(bad).join("; ")
    for (const word of [
      "taken",
      "interval",
      "timeout",
      "initialDelay",
      "failureThreshold",
      "successThreshold",
      "cpu"
    ]) {
      assert.include(text, word)
    }
    assert.strictEqual(issuesOf(bad).length, 7)
  })
})
