/** What the probes say of engines that ignore what they accept: each check can fail, and each can be unable to tell. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Engine } from "../src/Engine.ts"
import type { CapabilityName, CapabilityReport } from "../src/EngineCapabilities.ts"
import * as EngineCapabilities from "../src/EngineCapabilities.ts"
import { ApiVersionUnsupported, EngineUnavailable } from "../src/EngineError.ts"
import { withFake } from "./support/FakeDocker.ts"
import type { Outcome, Script } from "./support/scriptedEngine.ts"
import { scripted } from "./support/scriptedEngine.ts"

/** Virtual time runs on while the probes talk to the fake engine, so that their deadlines pass. */
const hurry = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(self)
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.withLive(Effect.sleep(10))
      yield* TestClock.adjust("500 millis")
    }
    return yield* Fiber.join(fiber)
  })

const detect = (script: Script) => {
  const fake = scripted(script)
  return withFake(fake.routes, (engine) =>
    hurry(EngineCapabilities.detect({ image: "tiny" })).pipe(
      Effect.provideService(Engine, engine),
      Effect.provide(NodeServices.layer),
      Effect.map((reports) => ({ reports, ...fake }))
    )
  )
}

const named = (reports: ReadonlyArray<CapabilityReport>, name: CapabilityName) => {
  const found = reports.find((one) => one.name === name)
  return found ?? assert.fail(`no report of ${name}`)
}

const confined = (host: { readonly SecurityOpt?: ReadonlyArray<string> }) =>
  host.SecurityOpt?.some((option) => option.startsWith("seccomp=")) === true

/** An engine that enforces everything. */
const honest = (command: string, host: { readonly SecurityOpt?: ReadonlyArray<string> }): Outcome => {
  if (command.includes("bs=67108864")) return { exitCode: 137 }
  if (command.includes("-lt 30")) return { exitCode: 2, stdout: "can't fork" }
  if (command.includes("cpu.stat")) return { stdout: "nr_periods 9\nnr_throttled 4" }
  if (command.includes("mkdir") && confined(host)) return { exitCode: 1, stdout: "mkdir: Operation not permitted" }
  if (/count=(24|192)/.test(command)) return { exitCode: 1, stdout: "dd: No space left on device" }
  if (command.includes("wc -c")) return { stdout: "8388608" }
  if (command.includes("echo alive")) return { stdout: "alive\n" }
  return { stdout: "10" }
}

const lying = (when: string, outcome: Outcome): Script => ({
  exec: (command, host) => (command.includes(when) ? outcome : honest(command, host))
})

describe("EngineCapabilities", () => {
  it.effect("passes an engine that enforces all it accepts, and removes what it made", () =>
    Effect.gen(function* () {
      const { reports, created, removed } = yield* detect({ exec: honest })
      const names: ReadonlyArray<CapabilityName> = [
        "container-start",
        "memory-limit",
        "pids-limit",
        "cpu-limit",
        "seccomp",
        "disk-limit-tmpfs",
        "disk-limit-storage-opt"
      ]
      for (const name of names) assert.strictEqual(named(reports, name).verdict, "pass", named(reports, name).found)
      assert.includeMembers(removed, [...created.keys()])
    })
  )

  it.effect("fails what is accepted and not enforced, with advice", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [CapabilityName, string, Outcome]> = [
        ["memory-limit", "bs=67108864", { exitCode: 0 }],
        ["pids-limit", "-lt 30", { exitCode: 0 }],
        ["cpu-limit", "cpu.stat", { stdout: "nr_throttled 0" }],
        ["seccomp", "mkdir", { exitCode: 0 }],
        ["disk-limit-tmpfs", "count=24", { exitCode: 0 }],
        ["disk-limit-storage-opt", "count=192", { exitCode: 0 }],
        ["container-start", "alive", { exitCode: 1 }]
      ]
      for (const [name, when, outcome] of cases) {
        const report = named((yield* detect(lying(when, outcome))).reports, name)
        assert.strictEqual(report.verdict, "fail", name)
        assert.notStrictEqual(report.advice, "Nothing to do.")
      }
    })
  )

  it.effect("says unknown when the control fails or the failure is another one", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [CapabilityName, string, Outcome]> = [
        ["memory-limit", "bs=1048576", { exitCode: 1 }],
        ["pids-limit", "-lt 2 ", { exitCode: 1 }],
        ["cpu-limit", "cpu.stat", { stdout: "unreadable" }],
        ["seccomp", "mkdir", { exitCode: 1, stdout: "mkdir: Read-only file system" }],
        ["disk-limit-tmpfs", "count=1 ", { exitCode: 1 }],
        ["disk-limit-tmpfs", "count=24", { exitCode: 1, stdout: "dd: I/O error" }]
      ]
      for (const [name, when, outcome] of cases) {
        assert.strictEqual(named((yield* detect(lying(when, outcome))).reports, name).verdict, "unknown", name)
      }
    })
  )

  it.effect("does not take a seccomp denial of another kind for its own", () =>
    Effect.gen(function* () {
      const exec: Script["exec"] = (command, host) =>
        command.includes("mkdir") && confined(host)
          ? { exitCode: 1, stdout: "mkdir: No space left" }
          : honest(command, host)
      assert.strictEqual(named((yield* detect({ exec })).reports, "seccomp").verdict, "unknown")
    })
  )

  it.effect("bounds each probe in time and still reports all", () =>
    Effect.gen(function* () {
      const { reports } = yield* detect({ exec: honest, hangs: true })
      assert.lengthOf(reports, 18)
      assert.deepInclude(named(reports, "seccomp"), { verdict: "unknown", found: "not finished within 20000 ms" })
      assert.strictEqual(named(reports, "engine").verdict, "pass")
    })
  )

  it.effect("fails a storage driver that copies, and limits that the engine says it ignores", () =>
    Effect.gen(function* () {
      const info = { Driver: "vfs", CgroupVersion: "1", Warnings: ["WARNING: No swap limit support"] }
      const { reports } = yield* detect({ exec: honest, info })
      assert.strictEqual(named(reports, "storage-driver").verdict, "fail")
      assert.deepInclude(named(reports, "cgroup"), { verdict: "fail" })
      assert.include(named(reports, "cgroup").found, "No swap limit support")
      const silent = yield* detect({ exec: honest, info: { Driver: "", CgroupVersion: "" } })
      assert.strictEqual(named(silent.reports, "storage-driver").verdict, "unknown")
      assert.strictEqual(named(silent.reports, "cgroup").verdict, "unknown")
    })
  )

  it.effect("does not judge another machine's kernel, disk or loop devices by this one's", () =>
    Effect.gen(function* () {
      const { reports } = yield* detect({ exec: honest })
      const names: ReadonlyArray<CapabilityName> = [
        "disk-limit-loop",
        "kernel-netem",
        "kernel-nftables",
        "kernel-nfqueue",
        "free-disk"
      ]
      for (const name of names) {
        assert.strictEqual(named(reports, name).verdict, "unknown")
        assert.include(named(reports, name).found, "0.0.0-elsewhere")
      }
    })
  )

  it("reports an engine that could not be opened", () => {
    const lost = new EngineUnavailable({
      operation: "reach the engine",
      endpoint: "unix:///x",
      reason: "no-socket",
      detail: "ENOENT"
    })
    assert.deepInclude(EngineCapabilities.unreachable(lost), { name: "engine", verdict: "fail", required: true })
    assert.include(EngineCapabilities.unreachable(lost).advice, "DOCKER_HOST")
    const old = new ApiVersionUnsupported({ endpoint: "unix:///x", serverVersion: "1.30", minimum: "1.41" })
    assert.deepInclude(EngineCapabilities.unreachable(old), {
      name: "api",
      advice: "Update the engine (Docker 20.10 or newer)."
    })
  })
})
