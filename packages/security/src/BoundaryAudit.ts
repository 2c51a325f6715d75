/**
 * Audits any container of an engine: reads it in two execs, judges every check, and lets nobody say "held" whose control did not
 * fire on this engine. Takes containers as they are; makes only the weakened sandboxes that are its controls.
 */
import { type AppendError, Journal, noStream, streamExists } from "@sbx/journal/Journal"
import { makeId } from "@sbx/core/SandboxId"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { resolve } from "@sbx/core/SandboxOptions"
import type { SandboxSpec } from "@sbx/core/SandboxSpec"
import { Engine, type EngineInfo, type EngineShape } from "@sbx/engine/Engine"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import type { AuditReport, ControlResult, Finding } from "./AuditReport.ts"
import { scorecard } from "./AuditReport.ts"
import type { BoundaryCheck } from "./BoundaryCheck.ts"
import { judge } from "./BoundaryCheck.ts"
import { boundaryChecks } from "./BoundaryChecks.ts"
import type { BoundaryEvent } from "./BoundaryEvent.ts"
import { family } from "./BoundaryEvent.ts"
import { type ControlContext, read, runControls } from "./Controls.ts"
import type { Expectation } from "./Expectation.ts"
import { bounded } from "./Expectation.ts"
import { fromSandbox } from "./HardenedReference.ts"
import { gate, powerOf } from "./Power.ts"
import type { ProbeError, ProbeRun } from "./ProbeRun.ts"
import type { ProbeVehicle } from "./ProbeVehicle.ts"
import type { WeakeningName } from "./Weakening.ts"

export interface AuditOptions {
  /** What the container's owner declared. Default: no network, finite limits, nothing writable but /tmp. */
  readonly expected?: Expectation
  /** Default: all. */
  readonly checks?: ReadonlyArray<BoundaryCheck>
  /** Default: perl, python3, sh. */
  readonly vehicles?: ReadonlyArray<ProbeVehicle>
}

export interface ControlOptions extends AuditOptions {
  /** What the reference is made from. Default: core's defaults with the subject's image. */
  readonly sandbox?: SandboxSpec
  /** Weakenings to run whether or not a check still needs them. */
  readonly weakenings?: ReadonlyArray<WeakeningName>
  /** Allows weakened sandboxes on an engine that is not private. Default false. */
  readonly allowDangerous?: boolean
  /** Weakened sandboxes at the same time. Default 3. */
  readonly concurrency?: number
  /** Labels of the weakened sandboxes. */
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
type Recorder = (auditId: string) => Record_

interface Deps {
  readonly engine: EngineShape
  readonly recorder: Recorder
  /** Controls by engine, kernel and image: power is a property of these. */
  readonly known: Ref.Ref<ReadonlyMap<string, ReadonlyArray<ControlResult>>>
}

const make = Effect.fnUntraced(function* (engine: EngineShape, recorder: Recorder) {
  const known = yield* Ref.make<ReadonlyMap<string, ReadonlyArray<ControlResult>>>(new Map())
  const deps: Deps = { engine, recorder, known }
  return BoundaryAudit.of({
    audit: Effect.fn("BoundaryAudit.audit")((target, options) => conduct(deps, target, options ?? {}, undefined)),
    auditWithControls: Effect.fn("BoundaryAudit.auditWithControls")((target, options) =>
      conduct(deps, target, options ?? {}, options ?? {})
    )
  })
})

/** Audits that leave no record but their report. */
export const layer: Layer.Layer<BoundaryAudit, never, Engine> = Layer.effect(
  BoundaryAudit,
  Effect.flatMap(Engine, (engine) => make(engine, () => () => Effect.void))
)

/** Audits whose facts are appended to the journal, each in a stream `security/<audit id>` of its own. */
export const layerJournaled: Layer.Layer<BoundaryAudit, never, Engine | Journal> = Layer.effect(
  BoundaryAudit,
  Effect.gen(function* () {
    const journal = yield* Journal
    return yield* make(
      yield* Engine,
      (auditId) => (events, place) =>
        Effect.asVoid(
          family.append(journal, family.stream(auditId), events, {
            expected: place === "first" ? noStream : streamExists,
            closes: place === "last"
          })
        )
    )
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
  const record = deps.recorder(auditId)
  const checks = options.checks ?? boundaryChecks
  yield* record([started(startedAt, target, info, checks)], "first")
  const work = Effect.gen(function* () {
    const subject = yield* read({ checks, engine: deps.engine, info, vehicles: options.vehicles }, target.containerId)
    const results = yield* establish(deps, { auditId, checks, controls, info, record, subject })
    const findings = judgeAll(checks, subject, options.expected ?? bounded(info), results)
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
    labels: controls.labels ?? {},
    intended: (weakening, containerName) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
        record([{ _tag: "ControlIntended", atMillis, weakening, containerName }], "next")
      ),
    concluded: (result) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMillis) => record([controlEvent(result, atMillis)], "next"))
  }
  const results = yield* runControls(context, {
    known: usable(known, checks),
    first: controls.weakenings ?? [],
    vehicles: subject.vehicles
  })
  yield* Ref.update(
    deps.known,
    (all) => new Map([...all, [key, results.filter(({ outcome }) => outcome._tag === "Ran")]])
  )
  return results
})

/** Results that judged all of these checks; a narrower audit's controls are run again. */
const usable = (
  known: ReadonlyArray<ControlResult>,
  checks: ReadonlyArray<BoundaryCheck>
): ReadonlyArray<ControlResult> =>
  known.filter(({ outcome }) => outcome._tag === "Ran" && checks.every((check) => check.id in outcome.verdicts))

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

const started = (
  atMillis: number,
  target: ContainerTarget,
  info: EngineInfo,
  checks: ReadonlyArray<BoundaryCheck>
): BoundaryEvent => ({
  _tag: "AuditStarted",
  atMillis,
  containerId: target.containerId,
  name: target.name,
  engineId: info.id,
  engineVersion: info.version,
  kernelVersion: info.kernelVersion,
  checkIds: checks.map((check) => check.id)
})

const controlEvent = ({ outcome, weakening }: ControlResult, atMillis: number): BoundaryEvent =>
  outcome._tag === "Ran"
    ? {
        _tag: "ControlEstablished",
        atMillis,
        weakening,
        breachedCheckIds: Object.entries(outcome.verdicts).flatMap(([id, verdict]) =>
          verdict._tag === "Breached" ? [id] : []
        )
      }
    : { _tag: "ControlRefused", atMillis, weakening, reason: outcome.reason }

const conclusion = (
  findings: ReadonlyArray<Finding>,
  atMillis: number,
  durationMillis: number
): Arr.NonEmptyReadonlyArray<BoundaryEvent> => {
  const { Breached, Held, NotApplicable, NotRun, Waived } = scorecard(findings)
  const judgements = findings.map(({ category, checkId, control, severity, verdict }): BoundaryEvent => ({
    _tag: "CheckJudged",
    atMillis,
    checkId,
    category,
    severity,
    verdict,
    ...(control === undefined ? {} : { control: control.weakening })
  }))
  return Arr.append(judgements, {
    _tag: "AuditFinished",
    atMillis,
    durationMillis,
    held: Held,
    breached: Breached,
    notRun: NotRun,
    notApplicable: NotApplicable,
    waived: Waived
  })
}
