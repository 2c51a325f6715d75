/**
 * The workload: a process that reconciles, makes sandboxes, uses them by chance, disturbs a stranger and removes what it made. Typed
 * failures are part of a life with faults; what it sees of its own journal and sandboxes has to be right all the same.
 */
import { Engine } from "@sbx/engine/Engine"
import { any, Journal, start } from "@sbx/journal/Journal"
import { Cause, Clock, Effect, Exit, Layer, Option, Random, Stream } from "effect"
import * as Environment from "../../src/Environment.ts"
import { internalsOf } from "../../src/internal/sandboxInternals.ts"
import { JournalFiles } from "../../src/JournalFiles.ts"
import * as Reconciler from "../../src/Reconciler.ts"
import * as RunEvent from "../../src/RunEvent.ts"
import type { Sandbox } from "../../src/SandboxHandle.ts"
import { SandboxEvents } from "../../src/SandboxEvent.ts"
import { fold } from "../../src/SandboxLifecycle.ts"
import * as Sandboxes from "../../src/Sandboxes.ts"
import { disturb, kindsFor, pendingUndos, type Target } from "./disturbances.ts"
import { type Services } from "./doubles.ts"
import { image, type Machine, violate } from "./machine.ts"
import type { Plant } from "./plants.ts"

const runDirectory = "/runs"
export const pathOf = (run: string) => `${runDirectory}/${run}/journal.sqlite`

export interface RunnerOptions {
  readonly run: string
  /** Path of the journal: a new one, or a dead runner's. */
  readonly path: string
  readonly jobs: number
  readonly target: Target
  readonly keepsReconciled: boolean
  readonly plant: Plant
}

type Runs = Effect.Effect<void, unknown, Services | Journal | Sandboxes.Sandboxes | Reconciler.Reconciler>

/** Ends when all jobs have ended; interrupted, it cleans up like any program. */
export const run = (machine: Machine, options: RunnerOptions): Effect.Effect<void, unknown, Services> =>
  Effect.gen(function* () {
    const { layerWriter } = yield* JournalFiles
    const sandboxes = Sandboxes.layerWith({
      run: options.run,
      journalPath: options.path,
      image,
      workspace: "auto",
      allowDangerous: true
    })
    const layer = Layer.mergeAll(sandboxes, Reconciler.layer).pipe(
      Layer.provide(Environment.layerWith({ maxConcurrentSandboxes: 3 })),
      Layer.provideMerge(layerWriter(options.path))
    )
    yield* Effect.provide(body(machine, options), layer)
  })

const body = (machine: Machine, options: RunnerOptions): Runs =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const stream = RunEvent.RunEvents.stream(options.run)
    const record = (event: RunEvent.RunEvent, closes: boolean) =>
      Effect.ignore(RunEvent.RunEvents.append(journal, stream, [event], { expected: any, closes }))
    yield* record({ _tag: "RunStarted", atMillis: 0, runId: options.run, seed: "", scenarios: [] }, false)
    const seen = { last: 0 }
    yield* Effect.forkScoped(follow(machine, options.run, journal, seen))
    const reconciling = {
      runDirectories: [runDirectory],
      own: journal,
      pendingUndos: options.plant.pendingUndos ?? pendingUndos
    }
    const reconciler = yield* Reconciler.Reconciler
    if (options.keepsReconciled) yield* Effect.forkScoped(reconciler.keepReconciled(reconciling))
    const jobs = Array.from({ length: options.jobs }, (_, number) => job(machine, options, number))
    yield* Effect.all(jobs, { concurrency: "unbounded", discard: true })
    yield* record({ _tag: "RunFinished", atMillis: 0, verdict: { _tag: "pass" }, durationMillis: 0 }, true)
    yield* expectAll(machine, options.run, journal, seen)
  }).pipe(Effect.scoped)

/** Everything from the first event on, once and in order. */
const follow = (machine: Machine, run: string, journal: Journal["Service"], seen: { last: number }) =>
  Effect.ignore(
    Stream.runForEach(journal.subscribe({ from: start }), (delivery) =>
      Effect.sync(() => {
        if (delivery._tag !== "Event") return
        const { position } = delivery.event
        if (position !== seen.last + 1) {
          violate(machine, `a subscriber in ${run} saw position ${position} after ${seen.last}`)
        }
        seen.last = position
      })
    )
  )

/** A subscriber of a journal at rest has seen all of it soon. */
const expectAll = (machine: Machine, run: string, journal: Journal["Service"], seen: { readonly last: number }) =>
  Effect.gen(function* () {
    const head = yield* journal.head
    for (let look = 0; look < 50 && seen.last < head; look++) yield* Effect.sleep("100 millis")
    if (seen.last < head) violate(machine, `a subscriber in ${run} saw ${seen.last} events of ${head}`)
    else machine.faults.count("subscriber-complete")
  })

const job = (machine: Machine, options: RunnerOptions, number: number): Runs =>
  Effect.gen(function* () {
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 3_000))
    const pick = yield* Random.nextIntBetween(0, 9)
    if (pick === 0) return yield* disturbOnce(options, number)
    yield* useSandbox(machine)
  }).pipe(Effect.catchCause((cause) => accept(machine, options.run, cause)))

const tagOf = (defect: unknown): unknown =>
  typeof defect === "object" && defect !== null && "_tag" in defect ? defect._tag : undefined

/**
 * Failures are typed; the one defect that is allowed reports a removal that failed as its scope closed. Effect then makes defects of
 * the typed failures beside it.
 */
const accept = (machine: Machine, run: string, cause: Cause.Cause<unknown>) =>
  Effect.sync(() => {
    machine.faults.count("job-failed")
    const tags = cause.reasons.filter(Cause.isDieReason).map(({ defect }) => tagOf(defect))
    if (tags.length === 0) return
    if (tags.includes("SandboxRemovalFailed") && !tags.includes(undefined)) machine.faults.count("removal-failed")
    else violate(machine, `a job of ${run} died: ${Cause.pretty(cause)}`)
  })

const disturbOnce = (options: RunnerOptions, number: number) =>
  Effect.gen(function* () {
    const kinds = kindsFor(options.target)
    const kind = kinds[yield* Random.nextIntBetween(0, kinds.length - 1)]
    if (kind === undefined) return
    const lasting = Effect.sleep(yield* Random.nextIntBetween(100, 8_000))
    yield* disturb(yield* Journal, yield* Engine, `${options.run}-${number}`, kind, lasting)
  })

/** After a scope that closed well nothing of its sandbox is left, nor may anything appear. */
const useSandbox = (machine: Machine) =>
  Effect.gen(function* () {
    const known: { sandbox?: Sandbox } = {}
    const life = Effect.gen(function* () {
      const kind = (yield* Random.nextBoolean) ? "memory" : "disk"
      const sandbox = yield* (yield* Sandboxes.Sandboxes).make({
        command: ["idle"],
        workspace: kind,
        stopGrace: "1 second"
      })
      known.sandbox = sandbox
      machine.faults.count("sandbox-made")
      const count = yield* Random.nextIntBetween(0, 5)
      for (let turn = 0; turn < count; turn++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 500))
        yield* Effect.ignore(operation(machine, sandbox))
        yield* compare(machine, sandbox)
      }
    })
    const exit = yield* Effect.exit(Effect.scoped(life))
    const { sandbox } = known
    if (Exit.isSuccess(exit) && sandbox !== undefined) checkGone(machine, sandbox)
    return yield* exit
  })

const operation = (machine: Machine, sandbox: Sandbox) =>
  Effect.gen(function* () {
    const operations: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      sandbox.exec(["true"]),
      sandbox.exec(["sleep", "3"], { timeout: "1 second" }),
      sandbox.exec(["sleep", "1"]),
      sandbox.pause,
      sandbox.resume,
      sandbox.stop(),
      sandbox.kill,
      sandbox.restart(),
      sandbox.state,
      sandbox.remove
    ]
    if (machine.faults.strikes("crash")) machine.engine.crash(sandbox.containerId, 139, { oom: true })
    yield* operations[yield* Random.nextIntBetween(0, operations.length - 1)] ?? Effect.void
  })

/** What the process believes of its sandbox is what its journal says. */
const compare = (machine: Machine, sandbox: Sandbox) =>
  Effect.gen(function* () {
    const internals = internalsOf(sandbox)
    if (internals === undefined) return violate(machine, `no internals of ${sandbox.id}`)
    const { recorder } = internals.context
    const before = recorder.nextVersion()
    const recorded = yield* Stream.runCollect(SandboxEvents.read(internals.journal, recorder.stream))
    if (recorder.nextVersion() !== before) return
    const events = recorded.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload]))
    // An append without an answer may be in the journal, and one later than what the process knows.
    if (events.length >= before) return
    const [live, replayed] = [recorder.state(), fold(events)].map((state) =>
      Object.entries(state).map(([key, value]) => `${key} ${JSON.stringify(value)}`)
    )
    const differing = live?.filter((fact) => replayed?.includes(fact) !== true) ?? []
    if (differing.length > 0) violate(machine, `the journal of ${sandbox.id} does not say that ${differing.join(", ")}`)
  }).pipe(Effect.ignore)

const checkGone = (machine: Machine, sandbox: Sandbox) => {
  const { containers, volumes } = machine.engine.view()
  if (containers.some(({ name }) => name === sandbox.name)) {
    violate(machine, `the scope of ${sandbox.id} closed well and its container is there`)
  }
  if (volumes.some(({ name }) => name === sandbox.volume)) {
    violate(machine, `the scope of ${sandbox.id} closed well and its volume is there`)
  }
}

/** The command that clears up: settles what is in doubt, and says whether anything was left to do. */
export const reap = (machine: Machine, plant: Plant): Effect.Effect<boolean, unknown, Services> =>
  Effect.gen(function* () {
    const reconciler = yield* Reconciler.Reconciler
    const report = yield* reconciler.reconcile({
      dryRun: false,
      runDirectories: [runDirectory],
      pendingUndos: plant.pendingUndos ?? pendingUndos,
      settle: plant.sweepsOnce !== true
    })
    const { faults } = machine
    faults.count("reaped", report.removed.length)
    faults.count("settled", report.settled.length)
    faults.count("undone", report.undone.length)
    faults.count("foreign", report.foreign.length)
    const isDoubtful = report.inDoubt.length > 0 && plant.sweepsOnce !== true
    return !isDoubtful && report.failures.length === 0
  }).pipe(Effect.provide(Reconciler.layer), ahead(plant.aheadMillis ?? 0))

const ahead =
  (millis: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Clock.Clock, (clock) => {
      const later = () => clock.currentTimeMillisUnsafe() + millis
      return Effect.provideService(effect, Clock.Clock, {
        currentTimeMillisUnsafe: later,
        currentTimeMillis: Effect.sync(later),
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      })
    })

/** What a healthy machine's reap said last. */
export const isClean = (end: Option.Option<Exit.Exit<boolean, unknown>>): boolean =>
  Option.isSome(end) && Exit.isSuccess(end.value) && end.value.value
