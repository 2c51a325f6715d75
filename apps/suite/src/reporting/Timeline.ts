/**
 * What each sandbox of a run used over time, and what happened to it meanwhile. Samples every sandbox once a second from its start,
 * into `samples.sqlite` of the run's folder. Never fails a run: where nothing could be kept, the timeline says why.
 */
import { FailureEvents, type FailureEvent } from "@sbx/chaos/FailureEvent"
import { Environment } from "@sbx/core/Environment"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { SandboxEvents } from "@sbx/core/SandboxEvent"
import type { UnknownEvent } from "@sbx/journal/EventFamily"
import { Journal } from "@sbx/journal/Journal"
import * as AutoSource from "@sbx/monitor/AutoSource"
import { ContainerSource } from "@sbx/monitor/ContainerSource"
import { family as ResourceEvents, type ResourceEvent } from "@sbx/monitor/ResourceEvent"
import * as SampleFile from "@sbx/monitor/SampleFile"
import { SampleStore, type StoredItem } from "@sbx/monitor/SampleStore"
import * as Series from "@sbx/monitor/Series"
import type { Mark } from "@sbx/monitor/TimeSeriesSvg"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

export interface SandboxTimeline {
  readonly sandboxId: string
  readonly containerId: string
  /** Oldest first; what could not be sampled is an item too. */
  readonly items: ReadonlyArray<StoredItem>
  readonly marks: ReadonlyArray<Mark>
}

export interface Timeline {
  /** In the order of their first sample; a sandbox with a replaced container is there once for each. */
  readonly sandboxes: ReadonlyArray<SandboxTimeline>
  /** Why there is none, or not all of it. */
  readonly note: string | undefined
}

const none = (note: string): Timeline => ({ sandboxes: [], note })

/** Opens the store in the run's folder and closes it with the scope. `sample` goes on until interrupted; `read` is what there is by then. */
export const open = Effect.fnUntraced(function* (folder: { readonly path: string }) {
  const { enableMetrics } = yield* Environment
  const off = { sample: Effect.void, read: Effect.succeed(none("Resource monitoring was off.")) }
  if (!enableMetrics) return off
  const opened = yield* Effect.result(Layer.build(SampleFile.layer({ path: `${folder.path}/samples.sqlite` })))
  if (opened._tag === "Failure") {
    return { ...off, read: Effect.succeed(none(firstLine(opened.failure.message))) }
  }
  const store = Context.get(opened.success, SampleStore)
  return {
    sample: sample(store).pipe(
      Effect.provide(AutoSource.layer),
      Effect.catch((error) => Effect.logError("Could not go on sampling the sandboxes", error))
    ),
    read: read(store).pipe(Effect.catch((error) => Effect.succeed(none(firstLine(error.message)))))
  }
})

const firstLine = (text: string): string => text.split("\n")[0] ?? ""

/** Follows the sandboxes of the journal: each container from its start until it is removed. */
const sample = Effect.fnUntraced(function* (store: SampleStore["Service"]) {
  const journal = yield* Journal
  const source = yield* ContainerSource
  const containers = new Map<string, string>()
  const followed = new Set<string>()
  const begin = Effect.fnUntraced(function* (stream: string) {
    const containerId = containers.get(stream)
    if (containerId === undefined || followed.has(containerId)) return
    followed.add(containerId)
    const target = { containerId, name: stream.slice(stream.indexOf("/") + 1) }
    yield* Effect.forkScoped(follow(store, source, target))
  })
  yield* SandboxEvents.events(journal).pipe(
    Stream.runForEach(({ payload, stream }) => {
      if (payload._tag === "Created") containers.set(stream, payload.containerId)
      return payload._tag === "Started" ? begin(stream) : Effect.void
    })
  )
}, Effect.scoped)

/** Not through `Monitor`: that would put the removal of every sandbox on record as a loss. */
const follow = Effect.fnUntraced(function* (
  store: SampleStore["Service"],
  source: ContainerSource["Service"],
  target: ContainerTarget
) {
  const series = yield* Effect.orDie(Series.make({ target, read: source.read(target), capacity: 16 }))
  yield* Stream.runForEach(series.items, (item) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMillis) => store.record(stored(item, atMillis)))
  )
}, Effect.scoped)

const stored = (item: Series.SeriesItem, atMillis: number): StoredItem => {
  if (item._tag === "Sampled") return { _tag: "Sampled", sample: item.sample }
  const { containerId: id, name } = item.target
  return { _tag: "Missed", subject: "container", id, name, atMillis, reason: item.error._tag }
}

const read = Effect.fnUntraced(function* (store: SampleStore["Service"]) {
  const journal = yield* Journal
  // What is in the file is shown even where the last samples do not get there; the note says so.
  yield* Effect.ignore(store.flush)
  const failures = yield* Stream.runCollect(FailureEvents.replay(journal))
  const resources = yield* Stream.runCollect(ResourceEvents.replay(journal))
  const marks = [...faultMarks(failures.map(payloadOf)), ...alertMarks(resources.map(payloadOf))]
  const subjects = (yield* store.subjects).filter(({ subject }) => subject === "container")
  const sandboxes = yield* Effect.forEach(
    subjects.toSorted((a, b) => a.fromMillis - b.fromMillis),
    Effect.fnUntraced(function* ({ id, name }) {
      const items = yield* Stream.runCollect(store.items({ id }))
      return {
        sandboxId: name,
        containerId: id,
        items,
        marks: marks.filter(({ containerId }) => containerId === id).map(({ mark }) => mark)
      }
    })
  )
  const { dropped, failure } = yield* store.status
  const lost = dropped === 0 ? undefined : `${dropped} samples could not be kept.`
  const note = sandboxes.length === 0 ? "No sandbox was sampled." : undefined
  return { sandboxes, note: failure === undefined ? (lost ?? note) : firstLine(failure.message) } satisfies Timeline
})

const payloadOf = <A>({ payload }: { readonly payload: A }): A => payload

interface MarkOf {
  readonly containerId: string
  readonly mark: Mark
}

/** Of each fault that was injected: from then until it was reverted, to the end of time where nobody saw that. */
export const faultMarks = (events: Iterable<FailureEvent | UnknownEvent>): ReadonlyArray<MarkOf> => {
  const intended = new Map<string, { readonly kind: string; readonly containerId: string }>()
  const marks = new Map<string, MarkOf>()
  for (const event of events) {
    if (event._tag === "UnknownEvent") continue
    const { atMillis, faultId } = event
    const { containerId, kind } = intended.get(faultId) ?? {}
    const open = marks.get(faultId)
    if (event._tag === "FaultIntended") {
      intended.set(faultId, { kind: event.kind, containerId: event.target.containerId })
    } else if (event._tag === "FaultInjected" && kind !== undefined && containerId !== undefined) {
      const mark = { kind: "fault", label: kind, atMillis, untilMillis: Number.POSITIVE_INFINITY } as const
      marks.set(faultId, { containerId, mark })
    } else if (open !== undefined && event._tag === "FaultReverted") {
      marks.set(faultId, { ...open, mark: { ...open.mark, untilMillis: atMillis } })
    } else if (open !== undefined && event._tag === "FaultEnded" && event.reason === "irreversible") {
      const { untilMillis: _never, ...moment } = open.mark
      marks.set(faultId, { ...open, mark: moment })
    }
  }
  return [...marks.values()]
}

/** Of each episode of an alert: from firing to resolved, to the end of time where it still fires. */
export const alertMarks = (events: Iterable<ResourceEvent | UnknownEvent>): ReadonlyArray<MarkOf> => {
  const marks = new Map<string, MarkOf>()
  for (const event of events) {
    if (event._tag !== "AlertFired" && event._tag !== "AlertResolved") continue
    const { atMillis, containerId, episode, rule } = event
    const key = `${rule} ${containerId} ${episode}`
    const open = marks.get(key)
    if (event._tag === "AlertFired") {
      const label = `${rule}: ${event.metric} ${event.comparison} ${event.threshold}`
      const mark = { kind: "alert", label, atMillis, untilMillis: Number.POSITIVE_INFINITY } as const
      marks.set(key, { containerId, mark })
    } else if (open !== undefined) {
      marks.set(key, { ...open, mark: { ...open.mark, untilMillis: atMillis } })
    }
  }
  return [...marks.values()]
}
