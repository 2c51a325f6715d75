/**
 * Tells receivers what the journal says of alerts, each in its own fiber from its own checkpoint: the journal is the queue. At least
 * once, in the journal's order. A receiver that fails or hangs is told again for ever with growing pauses, is reported, and holds up
 * neither the sampling nor the others; nothing is passed over.
 */
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import type { JournalUnavailable } from "@sbx/journal/Journal"
import { after, any, Journal } from "@sbx/journal/Journal"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AlertNotice } from "./AlertNotice.ts"
import { notices } from "./AlertNotice.ts"
import type { AlertReceiver } from "./AlertReceiver.ts"
import type { ResourceEvent } from "./ResourceEvent.ts"
import { family, streamOf } from "./ResourceEvent.ts"

export interface DeliveryOptions {
  /** Where a receiver begins that was never told anything: with the journal's first alert (default), or with the next one. */
  readonly from?: "start" | "now"
  /** After this long an attempt is interrupted and counts as failed; one that cannot be interrupted holds its own receiver. Default 10 s. */
  readonly attemptTimeout?: Duration.Input
  /** Pause after the first failed attempt; doubles with each, ± jitter. Default 500 ms. */
  readonly firstPause?: Duration.Input
  /** The longest pause. Default 1 minute. */
  readonly longestPause?: Duration.Input
  /** Attempts on one notice after which the receiver is reported (`AlertDeliveryStalled`). Default 5. */
  readonly reportAfter?: number
}

/** Two receivers of one name would share a checkpoint and lose notices; a name must also be storable. */
export class InvalidReceiver extends Schema.TaggedError<InvalidReceiver>()("InvalidReceiver", {
  name: Schema.String,
  fault: Schema.Literals(["name", "duplicate-name"])
}) {
  override get message() {
    const fact = this.fault === "name" ? "it is not 1 to 64 of a-z, 0-9 and -" : "another receiver has that name"
    return `Could not deliver alerts to "${this.name}": ${fact}.\nGive every receiver its own name, and keep it over restarts.`
  }
}

const namePattern = /^[a-z0-9][a-z0-9-]{0,63}$/

interface Settings {
  readonly attemptTimeout: Duration.Input
  readonly firstPauseMillis: number
  readonly longestPauseMillis: number
  readonly reportAfter: number
}

type Service = Journal["Service"]

/** Starts telling the receivers, as long as the scope lives. What fires after this returns is told, whatever `from` says. */
export const start = Effect.fn("AlertDelivery.start")(function* (
  receivers: ReadonlyArray<AlertReceiver>,
  options: DeliveryOptions = {}
): Effect.fn.Return<void, InvalidReceiver | JournalUnavailable, Journal | Scope.Scope> {
  const journal = yield* Journal
  const names = new Set<string>()
  for (const { name } of receivers) {
    if (!namePattern.test(name)) return yield* new InvalidReceiver({ name, fault: "name" })
    if (names.has(name)) return yield* new InvalidReceiver({ name, fault: "duplicate-name" })
    names.add(name)
  }
  const settings: Settings = {
    attemptTimeout: options.attemptTimeout ?? "10 seconds",
    firstPauseMillis: Duration.toMillis(options.firstPause ?? "500 millis"),
    longestPauseMillis: Duration.toMillis(options.longestPause ?? "1 minute"),
    reportAfter: options.reportAfter ?? 5
  }
  for (const { name } of receivers) {
    const position = yield* checkpointOf(journal, name)
    if (position === undefined) yield* moveTo(journal, name, options.from === "now" ? yield* journal.head : 0)
  }
  for (const receiver of receivers) yield* Effect.forkScoped(serve(journal, receiver, settings))
})

/** A journal that does not answer for a while is asked again; one that was closed, or that cannot be read, ends this receiver aloud. */
const serve = (journal: Service, receiver: AlertReceiver, settings: Settings) =>
  follow(journal, receiver, settings).pipe(
    Effect.tapError((error) => Effect.logError(`Could not read alerts for the receiver ${receiver.name}`, error)),
    Effect.retry({
      schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("30 seconds")]).pipe(
        Schedule.jittered
      ),
      while: (error: JournalUnavailable | EventUndecodable) =>
        error._tag === "JournalUnavailable" && error.reason !== "Closed"
    }),
    Effect.ignore
  )

const follow = Effect.fnUntraced(function* (journal: Service, receiver: AlertReceiver, settings: Settings) {
  const from = after((yield* checkpointOf(journal, receiver.name)) ?? 0)
  const all = Stream.provideService(notices({ from }), Journal, journal)
  yield* Stream.runForEach(all, (notice) =>
    Effect.andThen(tell(journal, receiver, settings, notice), moveTo(journal, receiver.name, notice.position))
  )
})

/** Tells one notice until it is taken. */
const tell = Effect.fnUntraced(function* (
  journal: Service,
  { deliver, name: receiver }: AlertReceiver,
  settings: Settings,
  notice: AlertNotice
) {
  const { position } = notice
  for (let attempts = 1; ; attempts++) {
    // Suspended: a receiver may throw before it gives an effect.
    const exit = yield* Effect.exit(
      Effect.timeout(
        Effect.suspend(() => deliver(notice)),
        settings.attemptTimeout
      )
    )
    const atMillis = yield* Clock.currentTimeMillis
    if (exit._tag === "Success") {
      if (attempts <= settings.reportAfter) return
      return yield* report(journal, { _tag: "AlertDeliveryRecovered", receiver, position, attempts, atMillis })
    }
    const detail = summary(exit.cause)
    yield* Effect.logDebug(`The receiver ${receiver} failed, attempt ${attempts}`, detail)
    if (attempts === settings.reportAfter) {
      yield* Effect.logError(`Could not deliver an alert to ${receiver} in ${attempts} attempts: ${detail}`)
      yield* report(journal, { _tag: "AlertDeliveryStalled", receiver, position, attempts, detail, atMillis })
    }
    yield* pause(settings, attempts)
  }
})

/** The first line is the fact, and bounded: receivers are others' code. */
const summary = (cause: Cause.Cause<unknown>): string => {
  const [line = ""] = Cause.pretty(cause).split("\n")
  return line.slice(0, 300)
}

/** The journal that this tells is the one that the receiver is fed from: if it refuses, there is nobody to tell. */
const report = (journal: Service, event: ResourceEvent) =>
  family
    .append(journal, streamOf(event), [event], { expected: any })
    .pipe(Effect.catch((error) => Effect.logError("Could not record the state of a receiver", error)))

/** Between half of the pause that is due and the whole of it, so that receivers that failed together do not come back together. */
const pause = ({ firstPauseMillis, longestPauseMillis }: Settings, failed: number) =>
  Effect.flatMap(Random.nextBetween(0.5, 1), (share) =>
    Effect.sleep(
      Duration.millis(share * Math.min(longestPauseMillis, firstPauseMillis * 2 ** Math.min(30, failed - 1)))
    )
  )

const Checkpoint = Schema.fromJsonString(Schema.Struct({ position: Schema.Int }))
// We wrote it: text that does not decode is a defect.
const decodeCheckpoint = Schema.decodeSync(Checkpoint)
const checkpointKey = (receiver: string) => ({ collection: "alert-delivery", key: receiver })

/** Position of the last notice that the receiver took; `undefined` when it was never registered. */
export const checkpointOf = (
  journal: Service,
  receiver: string
): Effect.Effect<number | undefined, JournalUnavailable> =>
  Effect.map(journal.documents.get(checkpointKey(receiver)), (text) =>
    text === undefined ? undefined : decodeCheckpoint(text).position
  )

/** Never back: an older runner of the same receiver may still be at work. */
const moveTo = (journal: Service, receiver: string, position: number) => {
  const key = checkpointKey(receiver)
  return journal.documents.transact<void, never>([key], (read) => {
    const text = read(key)
    const ahead = text !== undefined && decodeCheckpoint(text).position >= position
    return Result.succeed({
      answer: undefined,
      writes: ahead ? [] : [{ ...key, value: JSON.stringify({ position }) }]
    })
  })
}
