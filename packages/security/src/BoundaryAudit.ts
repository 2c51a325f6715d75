/**
 * Audits any container of an engine: reads it in two execs, judges every check, and lets nobody say "held" whose control did not
 * fire on this engine. Takes containers as they are; makes only the weakened sandboxes that are its controls.
 */
import { type AppendError, Journal, noStream, streamExists } from "@sbx/journal/Journal"
import { makeId } from "@sbx/core/SandboxId"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { resolve } from "@sbx/core/SandboxOptions"
import type { SandboxSpec } from "@sbx/core/SandboxSpec"
import { Engine, type EngineInfo, type EngineShape } from "@sbx/engine/Engine"
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import type { AuditReport, ControlResult, Finding } from "./AuditReport.ts"
import type { BoundaryCheck } from "./BoundaryCheck.ts"
import { judge } from "./BoundaryCheck.ts"
import { boundaryChecks } from "./BoundaryChecks.ts"
import type { BoundaryEvent } from "./BoundaryEvent.ts"
import { family } from "./BoundaryEvent.ts"
import { type ControlContext, read, runControls } from "./Controls.ts"
import type { Expectation } from "./Expectation.ts"
import { bounded, fromSpec } from "./Expectation.ts"
import { fromSandbox } from "./HardenedReference.ts"
import { conclusion, controlEvent, started } from "./internal/auditEvents.ts"
import { gate, powerOf, sameVehicles } from "./Power.ts"
import type { ProbeError, ProbeRun } from "./ProbeRun.ts"
import type { ProbeVehicle } from "./ProbeVehicle.ts"
import type { WeakeningName } from "./Weakening.ts"

export interface AuditOptions {
  /** The sandbox's spec: what it promises is expected, and its controls are made from it. Default: core's, with the subject's image. */
  readonly sandbox?: SandboxSpec
  /** What the container's owner declared. Default: by `sandbox`, else no network, finite limits, nothing writable but /tmp. */
  readonly expected?: Expectation
  /** Default: all. */
  readonly checks?: ReadonlyArray<BoundaryCheck>
  /** Default: perl, python3, sh. */
  readonly vehicles?: ReadonlyArray<ProbeVehicle>
}

export interface ControlOptions extends AuditOptions {
  /** Weakenings to run whether or not a check still needs them. */
  readonly weakenings?: ReadonlyArray<WeakeningName>
  /** Allows weakened sandboxes on an engine that is not private. Default false. */
  readonly allowDangerous?: boolean
  /** Weakened sandboxes at the same time. Default 3. */
  readonly concurrency?: number
  /** Added to the labels of the weakened sandboxes. */
  readonly labels?: Readonly<Record<string, string>>
}

export type AuditError = ProbeError | AppendError

export class BoundaryAudit extends Context.Service<
  BoundaryAudit,
  {
    /** Uses the controls that earlier audits of this service ran on the same engine, kernel and image; runs none itself. */
    readonly audit: (target: ContainerTarget, options?: AuditOptions) => Effect.Effect<AuditReport, AuditError>
    /** Runs the controls that are missing. Weakened sandboxes are gone when it returns, fails or is interrupted. */
    readonly auditWithControls: (
      target: ContainerTarget,
      options?: ControlOptions
    ) => Effect.Effect<AuditReport, AuditError>
  }
>()("@sbx/security/BoundaryAudit") {}

type Record_ = (
  events: Arr.NonEmptyReadonlyArray<BoundaryEvent>,
  place: "first" | "next" | "last"
) => Effect.Effect<void, AppendError>

/** Where facts go, and how the weakened sandboxes of an audit are labelled as ours. */
interface Ledger {
  readonly record: (auditId: string) => Record_
  readonly labels: (auditId: string, atMillis: number) => Readonly<Record<string, string>>
}

interface Deps {
  readonly engine: EngineShape
  readonly ledger: Ledger
  /** Controls by engine, kernel and image: power is a property of these. */
  readonly known: Ref.Ref<ReadonlyMap<string, ReadonlyArray<ControlResult>>>
}

const make = Effect.fnUntraced(function* (engine: EngineShape, ledger: Ledger) {
  const known = yield* Ref.make<ReadonlyMap<string, ReadonlyArray<ControlResult>>>(new Map())
  const deps: Deps = { engine, ledger, known }
  return BoundaryAudit.of({
    audit: Effect.fn("BoundaryAudit.audit")((target, options) => conduct(deps, target, options ?? {}, undefined)),
    auditWithControls: Effect.fn("BoundaryAudit.auditWithControls")((target, options) =>
      conduct(deps, target, options ?? {}, options ?? {})
    )
  })
})

/** Audits that leave no record but their report. Weakened sandboxes of a process that was killed are not found by a reaper. */
export const layer: Layer.Layer<BoundaryAudit, never, Engine> = Layer.effect(
  BoundaryAudit,
  Effect.flatMap(Engine, (engine) => make(engine, { record: () => () => Effect.void, labels: () => ({}) }))
)

/** Who answers for the weakened sandboxes: labels by which a later process finds and removes what a killed one left. */
export interface AuditOwner {
  readonly run: string
  /** Absolute path of the journal. */
  readonly journalPath: string
  /** `Owner.toLabel` of this process. */
  readonly owner: string
}

/** A create call may take effect that much later than it was given up (moby#24858). */
const createDeadlineMillis = 10_000

/** Audits whose facts are appended to the journal, each in a stream `security/<audit id>` of its own. */
export const layerJournaled = (owner: AuditOwner): Layer.Layer<BoundaryAudit, never, Engine | Journal> =>
  Layer.effect(
    BoundaryAudit,
    Effect.gen(function* () {
      const journal = yield* Journal
      return yield* make(yield* Engine, {
        record: (auditId) => (events, place) =>
          Effect.asVoid(
            family.append(journal, family.stream(auditId), events, {
              expected: place === "first" ? noStream : streamExists,
              closes: place === "last"
            })
          ),
        labels: (auditId, atMillis) =>
          SandboxLabels.encode({
            ...owner,
            journal: journal.id,
            epoch: journal.epoch,
            stream: family.stream(auditId),
            intent: 1,
            deadline: atMillis + createDeadlineMillis,
            kind: "sidecar"
          })
      })
    })
  )

const conduct = Effect.fnUntraced(function* (
  deps: Deps,
  target: ContainerTarget,
  options: AuditOptions,
  controls: ControlOptions | undefined
): Effect.fn.Return<AuditReport, AuditError> {
  const startedAt = yield* Clock.currentTimeMillis
  const info = yield* deps.engine.info
  const auditId = yield* makeId("aud")
  const record = deps.ledger.record(auditId)
  const checks = options.checks ?? boundaryChecks
  yield* record([started(startedAt, target, info, checks)], "first")
  const work = Effect.gen(function* () {
    const subject = yield* read({ checks, engine: deps.engine, info, vehicles: options.vehicles }, target.containerId)
    const results = yield* establish(deps, { auditId, checks, controls, info, record, subject })
    const findings = judgeAll(checks, subject, options.expected ?? promised(options.sandbox, info), results)
    const finishedAt = yield* Clock.currentTimeMillis
    yield* record(conclusion(findings, finishedAt, finishedAt - startedAt), "last")
    return {
      auditId,
      subject: { containerId: target.containerId, name: target.name },
      engine: {
        id: info.id,
        version: info.version,
        kernelVersion: info.kernelVersion,
        cgroupVersion: info.cgroupVersion,
        runtime: info.defaultRuntime
      },
      vehicles: subject.vehicles,
      refusedVehicles: subject.refused,
      findings,
      controls: results,
      durationMillis: finishedAt - startedAt
    } satisfies AuditReport
  })
  return yield* Effect.onError(work, (cause) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
      Effect.ignore(record([{ _tag: "AuditAborted", atMillis, reason: String(cause).slice(0, 500) }], "last"))
    )
  )
})

const promised = (sandbox: SandboxSpec | undefined, info: EngineInfo): Expectation =>
  sandbox === undefined ? bounded(info) : fromSpec(sandbox, info)

interface Round {
  readonly auditId: string
  readonly checks: ReadonlyArray<BoundaryCheck>
  readonly controls: ControlOptions | undefined
  readonly info: EngineInfo
  readonly record: Record_
  readonly subject: ProbeRun
}

/** The controls that are known for this engine, kernel and image, after running what is missing where that was asked for. */
const establish = Effect.fnUntraced(function* (
  deps: Deps,
  round: Round
): Effect.fn.Return<ReadonlyArray<ControlResult>, AuditError> {
  const { auditId, checks, controls, info, record, subject } = round
  const image = subject.evidence.inspect?.imageId ?? ""
  const key = [info.id, info.kernelVersion, image].join("|")
  const known = (yield* Ref.get(deps.known)).get(key) ?? []
  if (controls === undefined) return known
  const sandbox = controls.sandbox ?? (yield* Effect.orDie(resolve({ image })))
  const context: ControlContext<AppendError> = {
    engine: deps.engine,
    info,
    auditId,
    checks,
    reference: fromSandbox({ ...sandbox, image }, info),
    vehicles: controls.vehicles,
    permitted: deps.engine.endpoint.kind === "private" || controls.allowDangerous === true,
    concurrency: controls.concurrency ?? 3,
    labels: (atMillis) => ({ ...deps.ledger.labels(auditId, atMillis), ...controls.labels }),
    intended: (weakening, containerName) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
        record([{ _tag: "ControlIntended", atMillis, weakening, containerName }], "next")
      ),
    concluded: (result) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMillis) => record([controlEvent(result, atMillis)], "next"))
  }
  const results = yield* runControls(context, {
    known: usable(known, round),
    first: controls.weakenings ?? [],
    vehicles: subject.vehicles
  })
  yield* Ref.update(
    deps.known,
    (all) => new Map([...all, [key, results.filter(({ outcome }) => outcome._tag === "Ran")]])
  )
  return results
})

/** Results of the same vehicles that judged all of these checks; any other control is run again. */
const usable = (known: ReadonlyArray<ControlResult>, { checks, subject }: Round): ReadonlyArray<ControlResult> =>
  known.filter(
    ({ outcome }) =>
      outcome._tag === "Ran" &&
      sameVehicles(outcome.vehicles, subject.vehicles) &&
      checks.every((check) => check.id in outcome.verdicts)
  )

const judgeAll = (
  checks: ReadonlyArray<BoundaryCheck>,
  subject: ProbeRun,
  expected: Expectation,
  results: ReadonlyArray<ControlResult>
): ReadonlyArray<Finding> =>
  checks.map((check) => {
    const observed = judge(check, subject.evidence, expected)
    const power = powerOf(check, results, subject.vehicles)
    const { category, description, id: checkId, layer: checkLayer, maps, severity } = check
    return {
      checkId,
      category,
      layer: checkLayer,
      severity,
      maps,
      description,
      verdict: gate(observed, power),
      observed,
      ...(power._tag === "Established" ? { control: { weakening: power.weakening, evidence: power.evidence } } : {})
    }
  })
