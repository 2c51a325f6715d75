/** The owner's side: spawns the watchdog, hands it its orders, starts another one when it ends unasked, and takes leave of it. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ChildProcess from "effect/process/ChildProcess"
import { type ChildProcessHandle, ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { fileURLToPath } from "node:url"
import type { WatchdogOptions, WatchdogStatus } from "../Watchdog.ts"
import { greeting, type Message, MessageLine, type WardOrder } from "./watchdogOrder.ts"
import { commandOf, startScript } from "./watchdogProcess.ts"

/** More would be a cause of its own: something on this machine kills them. */
const maxStarts = 5

interface Kennel {
  readonly options: WatchdogOptions
  readonly spawner: ChildProcessSpawner["Service"]
  readonly orders: Array<WardOrder>
  /** Resolves when the first process took its orders, or none could be started. */
  readonly settled: Deferred.Deferred<void>
  readonly lost: Deferred.Deferred<string>
  handle: ChildProcessHandle | undefined
  status: WatchdogStatus
  closing: boolean
}

export const keep = Effect.fnUntraced(function* (options: WatchdogOptions): Effect.fn.Return<
  {
    readonly guard: (order: WardOrder) => Effect.Effect<void>
    readonly status: Effect.Effect<WatchdogStatus>
    readonly lost: Effect.Effect<string>
  },
  never,
  ChildProcessSpawner | Scope.Scope
> {
  const kennel: Kennel = {
    options,
    spawner: yield* ChildProcessSpawner,
    orders: [],
    settled: yield* Deferred.make<void>(),
    lost: yield* Deferred.make<string>(),
    handle: undefined,
    status: { _tag: "starting" },
    closing: false
  }
  yield* Effect.forkScoped(keepOne(kennel))
  yield* Effect.addFinalizer(() => takeLeave(kennel))
  return {
    guard: (order) =>
      Effect.suspend(() => {
        // In one step with the taking of the handle: whoever is started later finds the order in the list.
        const { handle } = kennel
        kennel.orders.push(order)
        return tell(handle, { _tag: "Guard", order })
      }).pipe(Effect.andThen(Deferred.await(kennel.settled))),
    status: Effect.sync(() => kennel.status),
    lost: Deferred.await(kennel.lost)
  }
})

const encode = Schema.encodeSync(MessageLine)

/** One that is dead takes no orders; its successor gets them all. */
const tell = (handle: ChildProcessHandle | undefined, message: Message) =>
  handle === undefined
    ? Effect.void
    : Effect.ignore(Stream.run(Stream.make(new TextEncoder().encode(`${encode(message)}\n`)), handle.stdin))

const keepOne = Effect.fnUntraced(function* (kennel: Kennel) {
  const reasons: Array<string> = []
  yield* Effect.suspend(() => Effect.scoped(one(kennel))).pipe(
    Effect.tap((reason) => {
      if (kennel.closing) return Effect.never
      reasons.push(reason)
      return Effect.logWarning(`The watchdog ${reason} (start ${reasons.length} of ${maxStarts}).`)
    }),
    Effect.repeat({ schedule: Schedule.spaced("100 millis"), times: maxStarts - 1 })
  )
  const reason = `could not be kept running: it ${[...new Set(reasons)].join(", then ")}; see ${kennel.options.logFile}`
  kennel.status = { _tag: "lost", reason }
  yield* Effect.logWarning(`The watchdog ${reason}. If this process is killed, \`./sbx reap\` removes what it leaves.`)
  yield* Deferred.succeed(kennel.settled, undefined)
  yield* Deferred.succeed(kennel.lost, reason)
})

/** Its life, to the sentence that says how it ended. */
const one = Effect.fnUntraced(
  function* (kennel: Kennel) {
    const { options, spawner } = kennel
    const [command = "", ...args] = commandOf(fileURLToPath(options.entry))
    // In a session of its own, so that neither the terminal's signals nor a kill of our process group reach it.
    const handle = yield* spawner.spawn(
      ChildProcess.make("sh", ["-c", startScript, options.logFile, command, ...args], {
        cwd: "/",
        detached: true,
        stdin: { stream: "pipe", endOnDone: false },
        stdout: "pipe",
        stderr: "ignore"
      })
    )
    // What is ordered from here on is told by who orders it.
    const due = kennel.orders.slice()
    kennel.handle = handle
    for (const order of due) yield* tell(handle, { _tag: "Guard", order })
    yield* Deferred.succeed(kennel.settled, undefined)
    const greeted = Stream.runForEach(Stream.splitLines(Stream.decodeText(handle.stdout)), (line) =>
      Effect.sync(() => {
        if (line === greeting) kennel.status = { _tag: "watching", pid: handle.pid }
      })
    )
    yield* Effect.forkScoped(Effect.ignore(greeted))
    const code = yield* Effect.result(handle.exitCode)
    return `ended unasked, ${code._tag === "Success" ? `with exit code ${code.success}` : "by a signal"}`
  },
  (life, kennel) =>
    life.pipe(
      Effect.catch((error) => Effect.succeed(`could not be spawned: ${error.message}`)),
      Effect.ensuring(
        Effect.sync(() => {
          kennel.handle = undefined
          kennel.status = { _tag: "starting" }
        })
      )
    )
)

/** One that works ends within milliseconds; one that is still starting is ended with our scope, for it guards nothing any more. */
const takeLeave = Effect.fnUntraced(function* (kennel: Kennel) {
  const { handle, status } = kennel
  kennel.closing = true
  yield* tell(handle, { _tag: "Goodbye" })
  if (handle !== undefined && status._tag === "watching") {
    yield* Effect.ignore(Effect.timeoutOption(handle.exitCode, "500 millis"))
  }
})
