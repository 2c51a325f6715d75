/**
 * Runs weakened sandboxes, one step away from the reference, reads them with the same vehicles as the subject and removes them,
 * on failure and interrupt too. Refuses dangerous subjects where they are not allowed, and says so instead of a verdict.
 */
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import type { EngineInfo, EngineShape } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ControlResult } from "./AuditReport.ts"
import type { BoundaryCheck } from "./BoundaryCheck.ts"
import { judge } from "./BoundaryCheck.ts"
import type { HardenedReference } from "./HardenedReference.ts"
import { cover, powerOf } from "./Power.ts"
import type { Vehicles } from "./Power.ts"
import type { ProbeError, ProbeRun } from "./ProbeRun.ts"
import { gather } from "./ProbeRun.ts"
import type { ProbeVehicle } from "./ProbeVehicle.ts"
import { architectureOf } from "./SyscallTable.ts"
import type { WeakeningName } from "./Weakening.ts"
import { weakenings } from "./Weakening.ts"

/** Label of every weakened sandbox; its value is the weakening. */
export const controlLabel = "sbx.control"

/** What of the engine an audit needs. */
export type ControlEngine = Pick<
  EngineShape,
  "createContainer" | "endpoint" | "exec" | "inspectContainer" | "removeContainer" | "startContainer"
>

export interface ControlContext<E> {
  readonly engine: ControlEngine
  readonly info: EngineInfo
  readonly auditId: string
  readonly checks: ReadonlyArray<BoundaryCheck>
  readonly reference: HardenedReference
  readonly vehicles: ReadonlyArray<ProbeVehicle> | undefined
  readonly permitted: boolean
  readonly concurrency: number
  /** Of every weakened sandbox, by the time of its intent: its owner's, so that it is found should we die. */
  readonly labels: (atMillis: number) => Readonly<Record<string, string>>
  /** Before the container is made, then with what it showed. */
  readonly intended: (weakening: string, containerName: string) => Effect.Effect<void, E>
  readonly concluded: (result: ControlResult) => Effect.Effect<void, E>
}

const notPermitted =
  "weakened sandboxes run on the private engine only; allow them with allowDangerous on an engine that may be put at risk"

/** Readings of a container by this context's checks. */
export const read = Effect.fnUntraced(function* (
  { checks, engine, info, vehicles }: Pick<ControlContext<never>, "checks" | "engine" | "info" | "vehicles">,
  containerId: string
): Effect.fn.Return<ProbeRun, ProbeError> {
  const inspect = yield* engine.inspectContainer(containerId)
  return yield* gather(engine, containerId, {
    architecture: architectureOf(info.architecture),
    inspect,
    probes: checks.flatMap((check) => check.probes),
    ...(vehicles === undefined ? {} : { vehicles })
  })
})

/** Creates, starts, hands over and always removes. */
const withContainer = <A, E>(engine: ControlEngine, spec: ContainerSpec, use: (id: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    engine.createContainer(spec),
    (id) => Effect.andThen(engine.startContainer(id), use(id)),
    (id) => engine.removeContainer(id)
  )

/** One weakened sandbox. The engine's refusal is a result; an engine that does not answer is an error. */
export const runControl = Effect.fnUntraced(function* <E>(context: ControlContext<E>, weakening: WeakeningName) {
  const { auditId, engine, info, reference } = context
  const conclude = (outcome: ControlResult["outcome"]) =>
    Effect.as(context.concluded({ weakening, outcome }), { weakening, outcome } satisfies ControlResult)
  if (!context.permitted) return yield* conclude({ _tag: "NotPermitted", reason: notPermitted })
  const spec = weakenings[weakening].apply(reference.spec, {
    engineAddress: engine.endpoint.address,
    cgroupVersion: info.cgroupVersion
  })
  if (spec === undefined) return yield* conclude({ _tag: "NotCreatable", reason: "does not exist on this engine" })
  const name = `${reference.spec.name}-${auditId}-${weakening}`.replaceAll(/[^a-zA-Z0-9_.-]/g, "-")
  const labels = { ...context.labels(yield* Clock.currentTimeMillis), [controlLabel]: weakening }
  yield* context.intended(weakening, name)
  const refused = (error: { readonly message: string }) =>
    Effect.succeed<ControlResult["outcome"]>({ _tag: "NotCreatable", reason: error.message.split("\n")[0] ?? "" })
  const outcome = yield* withContainer(engine, { ...spec, name, labels }, (id) =>
    Effect.map(read(context, id), (run) => judged(context, run))
  ).pipe(Effect.catchTags({ InvalidRequest: refused, EngineConflict: refused, EngineFailure: refused }))
  return yield* conclude(outcome)
})

const judged = <E>({ checks, reference }: ControlContext<E>, run: ProbeRun): ControlResult["outcome"] => ({
  _tag: "Ran",
  vehicles: run.vehicles,
  verdicts: Object.fromEntries(
    checks.map((check) => [check.id, judge(check, run.evidence, reference.expected)] as const)
  )
})

/**
 * Runs `first`, then whatever is still needed so that each check has a control that fired, round by round: a control that did not
 * fire is followed by the check's next one.
 */
export const runControls = Effect.fnUntraced(function* <E>(
  context: ControlContext<E>,
  options: {
    readonly known: ReadonlyArray<ControlResult>
    readonly first: ReadonlyArray<WeakeningName>
    readonly vehicles: Vehicles
  }
) {
  let results = options.known
  let { first } = options
  while (true) {
    const without = context.checks.filter((check) => powerOf(check, results, options.vehicles)._tag !== "Established")
    const names = cover(without, new Set(results.map((result) => result.weakening)), first)
    if (names.length === 0) return results
    const round = yield* Effect.forEach(names, (name) => runControl(context, name), {
      concurrency: context.concurrency
    })
    results = [...results, ...round]
    first = []
  }
})
