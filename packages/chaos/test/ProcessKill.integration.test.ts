import { assert, describe, it } from "@effect/vitest"
import { consistently } from "@sbx/core/Expect"
import { Engine } from "@sbx/engine/Engine"
import type { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FailureInjector } from "../src/FailureInjector.ts"
import { processKill } from "../src/Fault.ts"
import { containerNamespace, processesIn } from "../src/internal/hostProc.ts"
import { container, eventsOf, eventually, injectorLayer } from "./testEngine.ts"

type Services = FailureInjector | Engine | Journal | Scope.Scope

const live = <A, E>(title: string, effect: () => Effect.Effect<A, E, Services>) =>
  it.live(title, () => effect().pipe(Effect.scoped, Effect.provide(injectorLayer())), 60_000)

const sleeper = { command: ["sleep", "600"], host: { networkMode: "none" } }

/** Commands of the container's processes by their pid inside. */
const processesOf = Effect.fnUntraced(function* (containerId: string) {
  const engine = yield* Engine
  const { id, state } = yield* engine.inspectContainer(containerId)
  const namespace = containerNamespace(id, state.hostPid)
  assert.isDefined(namespace, "the engine is local")
  return processesIn(namespace).map((process) => `${process.pid} ${process.program}`)
})

describe("ProcessKill", () => {
  live("kills PID 1 by the signal itself: exit code 137, and nothing pending", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const target = yield* container("kill", sleeper)
      const handle = yield* injector.inject(target, processKill())
      const { state } = yield* engine.inspectContainer(target.containerId)
      assert.deepStrictEqual([state.status, state.exitCode], ["exited", 137])
      const report = yield* handle.awaitEnd
      assert.strictEqual(report.reason, "irreversible")
      assert.deepStrictEqual(
        report.evidence.map(({ baseline, holds, metric, observed }) => ({ metric, baseline, observed, holds })),
        [
          { metric: "livingVictims", baseline: 1, observed: 0, holds: true },
          { metric: "deathsWithExitCode137", baseline: 0, observed: 1, holds: true }
        ]
      )
      const events = yield* eventsOf(handle.faultId)
      assert.deepStrictEqual(
        events.map((event) => event._tag),
        ["FaultIntended", "FaultInjected", "FaultProven", "FaultEnded"]
      )
    })
  )

  live("is a crash to the engine: the restart policy is honoured, which the engine's own kill suppresses", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const restarting = { ...sleeper, host: { ...sleeper.host, restartPolicy: { name: "always" as const } } }
      const target = yield* container("restart", restarting)
      const before = yield* engine.inspectContainer(target.containerId)
      yield* injector.inject(target, processKill())
      // While it waits to restart an engine already counts it, calls it running, and shows the old start.
      yield* eventually(
        Effect.map(
          engine.inspectContainer(target.containerId),
          ({ restartCount, state }) =>
            restartCount === 1 && state.running && (state.startedAtMillis ?? 0) > (before.state.startedAtMillis ?? 0)
        )
      )
      // The control: the same signal through the engine leaves it dead.
      const control = yield* container("control", restarting)
      yield* engine.killContainer(control.containerId, "SIGKILL")
      yield* engine.waitContainer(control.containerId)
      const dead = Effect.map(engine.inspectContainer(control.containerId), ({ restartCount, state }) =>
        assert.deepStrictEqual([state.status, restartCount], ["exited", 0])
      )
      yield* consistently("it stays dead", dead, { for: "1 second" })
    })
  )
})

describe("ProcessKill by selection", () => {
  live("kills by name and leaves others", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const script = "sleep 600 & sleep 601 & tail -f /dev/null & exec top -b -d 600"
      const target = yield* container("name", { ...sleeper, command: ["sh", "-c", script] })
      yield* eventually(Effect.map(processesOf(target.containerId), (seen) => seen.length === 4))
      const bystander = yield* container("bystander", sleeper)
      yield* injector.inject(target, processKill({ select: { _tag: "Name", name: "sleep" } }))
      const left = (yield* processesOf(target.containerId)).map((process) => process.split(" ")[1])
      assert.deepStrictEqual(new Set(left), new Set(["tail", "top"]))
      assert.deepStrictEqual(yield* processesOf(bystander.containerId), ["1 sleep"])
    })
  )

  live("kills one process by its pid inside", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const target = yield* container("pid", { ...sleeper, command: ["sh", "-c", "sleep 600 & sleep 601 & wait"] })
      yield* eventually(Effect.map(processesOf(target.containerId), (seen) => seen.length === 3))
      const [, first, second] = yield* processesOf(target.containerId)
      const pid = Number(first?.split(" ")[0])
      yield* injector.inject(target, processKill({ select: { _tag: "Pid", pid } }))
      const left = yield* processesOf(target.containerId)
      assert.isFalse(left.includes(first ?? ""))
      assert.isTrue(left.includes(second ?? ""))
    })
  )
})

describe("ProcessKill by signal", () => {
  live("is not proved by a signal that PID 1 does not get", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const target = yield* container("term", sleeper)
      // `sleep` has no handler, and the kernel does not end PID 1 for a signal without one.
      const error = yield* Effect.flip(injector.inject(target, processKill({ signal: "SIGTERM" })))
      assert.isTrue(error._tag === "NotProven" && error.evidence[0]?.observed === 1)
      assert.isTrue((yield* engine.inspectContainer(target.containerId)).state.running)
    }).pipe(Effect.provide(injectorLayer({ timing: { proofMillis: 500 } })))
  )

  live("sends the signal that was chosen", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const script = "trap 'exit 42' TERM; echo ready; while :; do sleep 1; done"
      const target = yield* container("handler", { ...sleeper, command: ["sh", "-c", script] })
      yield* eventually(Effect.map(processesOf(target.containerId), (seen) => seen.length === 2))
      yield* injector.inject(target, processKill({ signal: "SIGTERM" }))
      assert.strictEqual((yield* engine.inspectContainer(target.containerId)).state.exitCode, 42)
    })
  )
})

describe("ProcessKill that is refused", () => {
  live("names what there is when nothing matches, and refuses a stopped target", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const target = yield* container("nothing", sleeper)
      // Started is before the first instruction of its program.
      yield* eventually(Effect.map(processesOf(target.containerId), ([first]) => first === "1 sleep"))
      const select = { _tag: "Name" as const, name: "nginx" }
      const error = yield* Effect.flip(injector.inject(target, processKill({ select })))
      assert.isTrue(error._tag === "ProcessNotFound" && error.seen[0] === "1 sleep")
      yield* engine.stopContainer(target.containerId, { graceSeconds: 0 })
      assert.strictEqual((yield* Effect.flip(injector.inject(target, processKill())))._tag, "TargetNotRunning")
    })
  )

  live("refuses a target that shares the host's processes", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      // On a shared engine it would be dangerous to keep: it does nothing and is gone with the test.
      const target = yield* container("hostpid", { ...sleeper, host: { networkMode: "none", pidMode: "host" } })
      const error = yield* Effect.flip(injector.inject(target, processKill()))
      assert.strictEqual(error._tag, "Unsupported")
    })
  )
})
