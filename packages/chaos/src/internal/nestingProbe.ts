/**
 * Whether this engine lets a container burn cpu in another's cgroup, found out by doing it with two throw-away containers: the
 * engine's own statistics of the outer one have to show the inner one's work. Both are gone afterwards, and end by themselves.
 */
import { makeId } from "@sbx/core/SandboxId"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { EngineError } from "@sbx/engine/EngineError"
import { Unsupported } from "../FaultError.ts"
import type { FaultTools } from "../FaultKind.ts"
import { measure } from "./cpuUsage.ts"
import * as Cgroup from "./hostCgroup.ts"
import * as Sidecar from "./sidecar.ts"

/** Half a core asked for, a tenth of it required: the host may be busy, and the outer container sleeps. */
const quota = 0.5
const threshold = quota / 10
const windowMillis = 400
const deadlineMillis = 8000
const lifeSeconds = 30

export const probeNesting = Effect.fnUntraced(function* (
  tools: FaultTools,
  fault: string
): Effect.fn.Return<void, Unsupported | EngineError> {
  const faultId = yield* makeId("flt")
  const outerName = `${Sidecar.nameOf(tools, faultId)}-outer`
  const common = { faultId, targetId: "probe", claim: "probe", processes: 1, throwAway: true }
  yield* Effect.acquireUseRelease(
    Effect.succeed(outerName),
    Effect.fnUntraced(function* (name) {
      const script = `exec sleep ${lifeSeconds}`
      const outer = yield* Sidecar.start(tools, { ...common, name, cgroupParent: "", script })
      yield* nestIn(tools, fault, outer, { ...common, name: Sidecar.nameOf(tools, faultId) })
    }),
    (name) => tools.engine.removeContainer(name)
  )
})

const nestIn = Effect.fnUntraced(
  function* (
    tools: FaultTools,
    fault: string,
    outer: string,
    common: Omit<Sidecar.SidecarOptions, "script" | "cgroupParent"> & { readonly name: string }
  ) {
    const { engine } = tools
    const inspected = yield* engine.inspectContainer(outer)
    const cgroupParent = Cgroup.pathOf(inspected.id, inspected.state.hostPid) ?? `/docker/${inspected.id}`
    const target = { containerId: outer, name: "throw-away target" }
    const control = yield* measure(engine, target, undefined, windowMillis)
    const script = `while :; do :; done & exec sleep ${lifeSeconds}`
    yield* Effect.acquireUseRelease(
      Effect.succeed(common.name),
      Effect.fnUntraced(function* () {
        yield* Sidecar.start(tools, { ...common, cgroupParent, cpus: quota, script })
        const started = yield* Clock.monotonicTimeNanos
        for (;;) {
          const { cores } = yield* measure(engine, target, undefined, windowMillis)
          if (cores.value - control.cores.value >= threshold) return
          if (Number((yield* Clock.monotonicTimeNanos) - started) / 1e6 > deadlineMillis)
            return yield* unsupported(fault, `its statistics rose by ${cores.value - control.cores.value} cores only`)
        }
      }),
      (name) => engine.removeContainer(name)
    )
  },
  (effect, _tools, fault) =>
    Effect.catchTags(effect, {
      TargetGone: (error) => unsupported(fault, error.message),
      TargetNotRunning: (error) => unsupported(fault, error.message),
      InvalidRequest: (error) => unsupported(fault, error.message),
      EngineFailure: (error) => unsupported(fault, error.message)
    })
)

const unsupported = (fault: string, detail: string) =>
  new Unsupported({ fault, missing: [`a container in another's cgroup (${detail.split("\n")[0]})`] })
