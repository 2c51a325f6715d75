/** The watchdog's side: takes orders until the pipe ends, makes sure that the owner is dead, and clears what it owned. */
import { isLocked } from "@sbx/journal/Sqlite"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Stdio } from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Owner from "../Owner.ts"
import type { ReconcileReport, Reconciler } from "../Reconciler.ts"
import type { PendingUndos } from "../UndoRunner.ts"
import { greeting, MessageLine, type WardOrder } from "./watchdogOrder.ts"
import { hurry } from "./watchdogProcess.ts"

/** A call that the owner made before it died may still take effect for so long (moby#24858); equals the create deadline. */
const lateMillis = 10_000
/** Longest try; afterwards the next reconcile of any command does it. */
const patienceMillis = 120_000
/** One look, in which a hanging engine may not hold up the next. */
const roundDeadline = "30 seconds"
const pace = Duration.millis(250)
const slowest = Duration.seconds(10)

const exitCodes = { clean: 0, left: 3 } as const

interface Failed {
  readonly message: string
}

export interface WatchOptions {
  readonly pendingUndos?: PendingUndos
  readonly reconciler: (
    order: WardOrder
  ) => Effect.Effect<Reconciler["Service"], Failed, Scope.Scope | FileSystem | ChildProcessSpawner>
}

/** Resolves to the exit code. Logs to standard error, which is the run's log file. */
export const watch = (options: WatchOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const wards: Array<Ward> = []
      const leave = yield* listen(options, wards)
      if (leave === "goodbye" || wards.length === 0) return exitCodes.clean
      const codes = yield* Effect.forEach(wards, clear, { concurrency: "unbounded" })
      return Math.max(...codes)
    })
  ).pipe(Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])))

interface Ward {
  readonly order: WardOrder
  readonly pendingUndos: PendingUndos | undefined
  /** The first success is kept. */
  readonly reconciler: Effect.Effect<Reconciler["Service"], Failed, FileSystem | ChildProcessSpawner>
}

const decode = Schema.decodeUnknownOption(MessageLine)

/** Until the goodbye, or the end of the pipe: that is the owner's death, or its loss of the pipe. */
const listen = Effect.fnUntraced(function* (options: WatchOptions, wards: Array<Ward>) {
  const stdio = yield* Stdio
  const scope = yield* Effect.scope
  yield* say(stdio, greeting)
  const last = yield* Stream.splitLines(Stream.decodeText(stdio.stdin)).pipe(
    Stream.mapEffect((line) => {
      const message = Option.getOrUndefined(decode(line))
      if (message?._tag === "Goodbye") return Effect.succeed("goodbye" as const)
      if (message === undefined) return Effect.as(Effect.logWarning("a line that is no order"), "order" as const)
      // An order that came while the watchdog was being started may have been sent twice.
      const { journalId, owner } = message.order
      if (wards.some(({ order }) => order.journalId === journalId && order.owner === owner)) {
        return Effect.succeed("order" as const)
      }
      const ward = wardOf(options, message.order, scope)
      wards.push(ward)
      // Ready before it is needed: connecting takes longer than removing.
      return Effect.as(Effect.forkIn(Effect.ignore(ward.reconciler), scope), "order" as const)
    }),
    Stream.takeUntil((word) => word === "goodbye"),
    Stream.runLast,
    // A broken pipe is an ended one.
    Effect.orElseSucceed(() => Option.none<"goodbye" | "order">())
  )
  return Option.getOrUndefined(last)
})

const say = (stdio: Stdio, line: string) => Effect.ignore(Stream.run(Stream.make(`${line}\n`), stdio.stdout()))

const wardOf = ({ reconciler, pendingUndos }: WatchOptions, order: WardOrder, scope: Scope.Scope): Ward => {
  let known: Reconciler["Service"] | undefined
  return {
    order,
    pendingUndos,
    reconciler: Effect.suspend(() =>
      known === undefined
        ? Effect.tap(Effect.provideService(reconciler(order), Scope.Scope, scope), (made) =>
            Effect.sync(() => void (known = made))
          )
        : Effect.succeed(known)
    )
  }
}

/** An owner that lives and lost the pipe is waited for: it is none of our business before it is dead. */
const awaitDeath = Effect.fnUntraced(function* (label: string) {
  const owner = Owner.fromLabel(label)
  if (owner === undefined) return
  yield* Owner.liveness(owner).pipe(
    Effect.repeat({
      until: (state) => state === "dead",
      schedule: Schedule.exponential("5 millis").pipe(
        Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.millis(500))))
      )
    })
  )
})

const clear = Effect.fnUntraced(function* (ward: Ward) {
  yield* awaitDeath(ward.order.owner)
  yield* hurry
  const diedAt = yield* Clock.currentTimeMillis
  yield* Effect.logInfo(`owner ${ward.order.owner} is dead`)
  let wait = pace
  let last: Look = "left"
  for (;;) {
    const look = yield* round(ward, diedAt)
    if (look === "held" && last !== "held") {
      yield* Effect.logInfo(`waiting for who writes ${ward.order.journalPath} now: another reconciler clears it`)
    }
    last = look
    const clean = look === "clean"
    const age = (yield* Clock.currentTimeMillis) - diedAt
    if (clean && age >= lateMillis) {
      yield* Effect.logInfo("nothing is left")
      return exitCodes.clean
    }
    if (age >= patienceMillis) {
      yield* Effect.logError("gave up; the next `./sbx` command that reconciles, or `./sbx reap`, goes on")
      return exitCodes.left
    }
    wait = clean ? pace : Duration.min(Duration.times(wait, 2), age < lateMillis ? Duration.seconds(1) : slowest)
    yield* Effect.sleep(wait)
  }
})

/** `held`: somebody else writes its journal, so that nothing is known. */
type Look = "clean" | "left" | "held"

/** Whether anything of the ward is left, by this look. */
const round = Effect.fnUntraced(function* (
  ward: Ward,
  diedAt: number
): Effect.fn.Return<Look, never, FileSystem | ChildProcessSpawner> {
  const { order, pendingUndos } = ward
  const reconcile = Effect.flatMap(ward.reconciler, (reconciler) =>
    reconciler.reconcile({ dryRun: false, only: order, ...(pendingUndos === undefined ? {} : { pendingUndos }) })
  ).pipe(
    Effect.timeoutOrElse({
      duration: roundDeadline,
      orElse: () => Effect.fail({ message: `the engine did not answer within ${roundDeadline}` })
    })
  )
  const result = yield* Effect.result(reconcile)
  if (result._tag === "Failure") {
    yield* Effect.logWarning(result.failure.message)
    return "left"
  }
  const report = result.success
  yield* tellOf(report, (yield* Clock.currentTimeMillis) - diedAt)
  // Another reconciler may have been quicker to take the journal: it is not done before it lets go.
  const held = order.journalPath !== "" && (yield* Effect.orElseSucceed(isLocked(order.journalPath), () => false))
  if (held) return "held"
  const { objects, inDoubt, failures, settled } = report
  return objects.length + inDoubt.length + failures.length + settled.length === 0 ? "clean" : "left"
})

const tellOf = Effect.fnUntraced(function* (report: ReconcileReport, age: number) {
  const { removed, settled, undone, inDoubt, failures } = report
  if (removed.length + settled.length + undone.length > 0) {
    yield* Effect.logInfo(
      `removed ${removed.length} objects, settled ${settled.length} streams, undid ${undone.length} faults, ` +
        `${inDoubt.length} creates in doubt, ${age} ms after the death`
    )
  }
  for (const failure of failures) yield* Effect.logWarning(failure)
})
