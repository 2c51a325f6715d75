/**
 * Injects faults into containers, ours or not, and guarantees their end: a fault is active only when it is proved against a
 * control, and it is reverted when its time is over, when it is stopped, when its scope closes, and by its own lease or from
 * the journal when this process is dead. Refuses a second fault on the same part of a target.
 */
import * as Owner from "@sbx/core/Owner"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { makeId } from "@sbx/core/SandboxId"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Evidence } from "./Evidence.ts"
import { dispatch, Fault } from "./Fault.ts"
import type { FaultFailure, StartError } from "./FaultError.ts"
import { InvalidFault } from "./FaultError.ts"
import type { FaultHandle, FaultReport, FaultStatus } from "./FaultHandle.ts"
import type { Control, FaultKind, FaultOwner, FaultRun, FaultTiming, FaultTools } from "./FaultKind.ts"
import type { Claims } from "./internal/claims.ts"
import { makeClaims } from "./internal/claims.ts"
import type { Signals } from "./internal/faultLife.ts"
import { live } from "./internal/faultLife.ts"
import * as FaultRecord from "./internal/faultRecord.ts"
import { makeOnce } from "./internal/once.ts"

export interface InjectOptions {
  /** How long the fault holds, counted from its proof. Required by faults that hold; ignored by irreversible ones. */
  readonly duration?: Duration.Input
}

export class FailureInjector extends Context.Service<
  FailureInjector,
  {
    /** Injects and waits until it is proved. The scope's end reverts it. */
    readonly inject: (
      target: ContainerTarget,
      fault: Fault,
      options?: InjectOptions
    ) => Effect.Effect<FaultHandle, FaultFailure, Scope.Scope>
    /** Like `inject`, but returns while the fault is still pending. */
    readonly start: (
      target: ContainerTarget,
      fault: Fault,
      options?: InjectOptions
    ) => Effect.Effect<FaultHandle, StartError, Scope.Scope>
    /** Reverts all faults of this injector; resolves to their reports, fails with the first failure after all have ended. */
    readonly stopAll: Effect.Effect<ReadonlyArray<FaultReport>, FaultFailure>
  }
>()("@sbx/chaos/FailureInjector") {}

export interface InjectorOptions extends FaultOwner {
  /** Image with `sh` and `sleep`, present at the engine; it is never pulled. */
  readonly sidecarImage: string
  readonly timing?: Partial<FaultTiming>
}

const defaultTiming: FaultTiming = { windowMillis: 1000, proofMillis: 10_000, revertMillis: 20_000 }

/** Longest fault, so that a lease always ends. */
const longestMillis = 24 * 3600 * 1000

interface Injector {
  readonly journal: Journal["Service"]
  readonly tools: FaultTools
  readonly claims: Claims
  /** Handles of faults that have not ended. */
  readonly open: Map<string, FaultHandle>
}

/** An injector that works through the engine and keeps its record in the journal. Its own end stops all its faults. */
export const layerWith = (options: InjectorOptions): Layer.Layer<FailureInjector, never, Engine | Journal> =>
  Layer.effect(
    FailureInjector,
    Effect.gen(function* () {
      const engine = yield* Engine
      const journal = yield* Journal
      const { journalPath, owner, run, sidecarImage } = options
      const tools: FaultTools = {
        engine,
        journal,
        owner: { journalPath, owner, run },
        sidecarImage,
        timing: { ...defaultTiming, ...options.timing },
        once: yield* makeOnce
      }
      const injector: Injector = { journal, tools, claims: makeClaims(), open: new Map() }
      yield* Effect.addFinalizer(() => Effect.exit(stopAll(injector)))
      return FailureInjector.of({
        start: (target, fault, o) => start(injector, target, fault, o),
        inject: (target, fault, o) => Effect.tap(start(injector, target, fault, o), (handle) => handle.awaitActive),
        stopAll: stopAll(injector)
      })
    })
  )

/** The injector of a program of its own: owned by this process. `journalPath`: absolute, absent for a journal in memory. */
export const layer = (
  options: Pick<InjectorOptions, "sidecarImage" | "timing"> & { readonly run?: string; readonly journalPath?: string }
): Layer.Layer<FailureInjector, Owner.OwnerUnknown, Engine | Journal | FileSystem> =>
  Layer.unwrap(
    Effect.map(Owner.current, (owner) =>
      layerWith({ run: "library", journalPath: "", ...options, owner: Owner.toLabel(owner) })
    )
  )

const start = Effect.fn("FailureInjector.start")(function* (
  injector: Injector,
  target: ContainerTarget,
  fault: Fault,
  options: InjectOptions | undefined
): Effect.fn.Return<FaultHandle, StartError, Scope.Scope> {
  yield* validFault(fault)
  const faultId = yield* makeId("flt")
  const signals: Signals = {
    status: yield* SubscriptionRef.make<FaultStatus>({ _tag: "Pending" }),
    started: yield* Deferred.make<void, StartError>(),
    active: yield* Deferred.make<ReadonlyArray<Evidence>, FaultFailure>(),
    stop: yield* Deferred.make<void>(),
    ended: yield* Deferred.make<FaultReport, FaultFailure>()
  }
  const handle = handleOf(faultId, target, fault, signals)
  yield* dispatch(fault, (kind, own) =>
    Effect.flatMap(durationOf(kind, options?.duration), (durationMillis) =>
      launch(injector, handle, kind, { faultId, target, fault: own, durationMillis }, signals)
    )
  )
  yield* Deferred.await(signals.started)
  return handle
})

/** In the caller's scope: its end interrupts the life, which reverts before it gives way. */
const launch = <F extends Fault, C extends Control>(
  { claims, journal, open, tools }: Injector,
  handle: FaultHandle,
  kind: FaultKind<F, C>,
  run: FaultRun<F>,
  signals: Signals
) => {
  const record = FaultRecord.make(journal, run.faultId)
  const forget = Effect.sync(() => void open.delete(run.faultId))
  const life = live({ kind, tools, run, claims, record, signals, forget })
  const listed = Effect.andThen(
    Effect.sync(() => open.set(run.faultId, handle)),
    life
  ).pipe(Effect.ensuring(Effect.andThen(forget, settle(signals))))
  return Effect.forkScoped(listed)
}

/** Nobody may wait for ever for a life that was interrupted before it began. */
const settle = ({ active, ended, started }: Signals) =>
  Effect.all([Deferred.interrupt(started), Deferred.interrupt(active), Deferred.interrupt(ended)])

const handleOf = (faultId: string, target: ContainerTarget, fault: Fault, signals: Signals): FaultHandle => ({
  faultId,
  target,
  fault,
  status: SubscriptionRef.get(signals.status),
  statusChanges: SubscriptionRef.changes(signals.status),
  awaitActive: Deferred.await(signals.active),
  awaitEnd: Deferred.await(signals.ended),
  stop: Effect.andThen(Deferred.succeed(signals.stop, undefined), Deferred.await(signals.ended))
})

/** All are stopped before the first failure is told. */
const stopAll = Effect.fnUntraced(function* ({ open }: Injector) {
  const stopped = yield* Effect.forEach([...open.values()], (handle) => Effect.exit(handle.stop), {
    concurrency: "unbounded"
  })
  return yield* Effect.all(stopped)
})

const decodeFault = Schema.decodeUnknownEffect(Fault)

const validFault = (fault: Fault) =>
  Effect.mapError(decodeFault(fault), (error) => new InvalidFault({ fault: fault._tag, issue: error.message }))

const durationOf = <F extends Fault, C extends Control>(
  kind: FaultKind<F, C>,
  input: Duration.Input | undefined
): Effect.Effect<number, InvalidFault> => {
  if (!kind.reversible) return Effect.succeed(0)
  const millis =
    input === undefined ? Number.NaN : Option.getOrUndefined(Option.map(Duration.fromInput(input), Duration.toMillis))
  return millis !== undefined && millis > 0 && millis <= longestMillis
    ? Effect.succeed(millis)
    : Effect.fail(
        new InvalidFault({ fault: kind.tag, issue: "its duration has to be given, above zero and at most a day" })
      )
}
