/**
 * Judges the samples of containers by rules and keeps the alerts on record. What the journal says is the truth: a process that starts
 * later goes on with the episodes that are open. Judging never holds up the sampling, and an alert that could not be recorded is
 * tried again with the next sample.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Decider from "@sbx/journal/Decider"
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import type { AppendError, JournalUnavailable, Recorded } from "@sbx/journal/Journal"
import { Journal } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AlertCommand, AlertNotFiring, AlertState, Episode, Phase } from "./AlertDecider.ts"
import { acknowledging, afterGap, decider, evolve, initial, phaseOf, step } from "./AlertDecider.ts"
import type { AlertEvent, AlertKey } from "./AlertEvent.ts"
import { alertStreamId, alertTypes, isAlertEvent } from "./AlertEvent.ts"
import type { AlertRule, AlertTarget, InvalidRule } from "./AlertRule.ts"
import * as AlertRules from "./AlertRule.ts"
import type { SeriesError } from "./Monitor.ts"
import { Monitor } from "./Monitor.ts"
import { family } from "./ResourceEvent.ts"
import type { Series, SeriesItem, SeriesOptions } from "./Series.ts"

/** A rule selects by labels, and the labels of the container were not given: it would never fire. */
export class LabelsUnknown extends Schema.TaggedError<LabelsUnknown>()("LabelsUnknown", {
  rule: Schema.String,
  name: Schema.String
}) {
  override get message() {
    return `Could not watch ${this.name}: the alert rule ${this.rule} selects by labels, and its labels were not given.\nGive them with the target (the engine's inspect has them).`
  }
}

/** One rule on one container, as this process sees it. */
export interface Alert {
  readonly rule: AlertRule
  readonly target: ContainerTarget
  readonly phase: Phase
  readonly state: AlertState
}

/** An alert that fires, by the journal. */
export interface FiringAlert extends AlertKey {
  readonly episode: Extract<Episode, { readonly _tag: "firing" }>
}

type ReadError = JournalUnavailable | EventUndecodable

export class Alerts extends Context.Service<
  Alerts,
  {
    readonly rules: ReadonlyArray<AlertRule>
    /**
     * Samples the container and judges what comes, as long as the scope lives. Watched twice, it is judged once, by the series that was
     * there first.
     */
    readonly watch: (
      target: AlertTarget,
      options?: SeriesOptions
    ) => Effect.Effect<Series, SeriesError | LabelsUnknown | ReadError, Scope.Scope>
    /** Judges a series that somebody else has made, as long as the scope lives: what its ring holds first, and no item twice. */
    readonly attach: (
      target: AlertTarget,
      series: Pick<Series, "items">
    ) => Effect.Effect<void, LabelsUnknown | ReadError, Scope.Scope>
    /**
     * Watches the container of every alert that fires by the journal and is not watched here: after a restart, so that one whose
     * container is gone meanwhile is resolved (`target-lost`). Gives those containers.
     */
    readonly resume: (
      options?: SeriesOptions
    ) => Effect.Effect<ReadonlyArray<ContainerTarget>, SeriesError | ReadError, Scope.Scope>
    /** Every rule on every container that is watched here and not lost. */
    readonly current: Effect.Effect<ReadonlyArray<Alert>>
    readonly acknowledge: (
      key: AlertKey,
      by: { readonly by: string; readonly note?: string }
    ) => Effect.Effect<void, AlertNotFiring | AppendError | EventUndecodable>
  }
>()("@sbx/monitor/Alerts") {}

/** What happened to alerts so far, oldest first: of all, of one rule, of one container. Finite; needs no rules, so any process can read it. */
export const history = (filter: Partial<AlertKey> = {}): Stream.Stream<Recorded<AlertEvent>, ReadError, Journal> =>
  Stream.unwrap(
    Effect.map(Journal, (journal) =>
      family.replay(journal, { types: alertTypes }).pipe(
        Stream.flatMap((recorded) =>
          isAlertEvent(recorded.payload) ? Stream.succeed({ ...recorded, payload: recorded.payload }) : Stream.empty
        ),
        Stream.filter(
          ({ payload }) =>
            (filter.rule === undefined || payload.rule === filter.rule) &&
            (filter.containerId === undefined || payload.containerId === filter.containerId)
        )
      )
    )
  )

/** The alerts that fire now, by the journal; in the order of their first episodes. */
export const firing: Effect.Effect<ReadonlyArray<FiringAlert>, ReadError, Journal> = Effect.gen(function* () {
  const states = new Map<string, AlertKey & { readonly state: AlertState }>()
  yield* Stream.runForEach(history(), ({ payload }) =>
    Effect.sync(() => {
      const { containerId, rule } = payload
      const id = alertStreamId({ rule, containerId })
      states.set(id, { rule, containerId, state: evolve(states.get(id)?.state ?? initial, payload) })
    })
  )
  return [...states.values()].flatMap(({ containerId, rule, state }) =>
    state.episode._tag === "firing" ? [{ rule, containerId, episode: state.episode }] : []
  )
})

/** Judges by these rules; refuses rules that make no sense. */
export const layerWith = (
  rules: ReadonlyArray<AlertRules.AlertRuleOptions>
): Layer.Layer<Alerts, InvalidRule, Monitor | Journal> =>
  Layer.effect(
    Alerts,
    Effect.gen(function* () {
      const monitor = yield* Monitor
      const journal = yield* Journal
      return makeService({
        monitor,
        journal,
        rules: yield* AlertRules.makeAll(rules),
        entries: new Map(),
        judged: new WeakMap()
      })
    })
  )

/** Judges by {@link AlertRules.defaults}. */
export const layer: Layer.Layer<Alerts, never, Monitor | Journal> = Layer.orDie(layerWith(AlertRules.defaults))

interface Parts {
  readonly monitor: Monitor["Service"]
  readonly journal: Journal["Service"]
  readonly rules: ReadonlyArray<AlertRule>
  readonly entries: Map<string, Entry>
  /** By series. */
  readonly judged: WeakMap<Series["items"], Judged>
}

/** The newest item of a series that each alert was judged by: one that is attached again offers what its ring holds a second time. */
type Judged = Map<string, SeriesItem["sequence"]>

/** An alert in memory: its state, and the version of its stream that the state stands on. */
interface Entry {
  readonly id: string
  readonly rule: AlertRule
  readonly target: ContainerTarget
  state: AlertState
  version: number
  /** Who feeds it; the first one counts, or every interval would count twice. */
  readonly watchers: Array<Watcher>
}

/** The alerts that one series is judged by. */
interface Watcher {
  readonly entries: ReadonlyArray<Entry>
}

const makeService = (parts: Parts): Alerts["Service"] => {
  const { entries, judged, monitor, rules } = parts
  const judgedOf = ({ items }: Pick<Series, "items">) => {
    const known = judged.get(items) ?? new Map()
    judged.set(items, known)
    return known
  }
  const judging = (target: ContainerTarget, mine: ReadonlyArray<AlertRule>, series: Pick<Series, "items">) =>
    Effect.acquireRelease(join(parts, target, mine), (watcher) => Effect.sync(() => leave(parts, watcher))).pipe(
      Effect.flatMap((watcher) =>
        Effect.forkScoped(Stream.runForEach(series.items, (item) => judge(parts, watcher, judgedOf(series), item)))
      ),
      Effect.asVoid
    )
  const watchBy = (target: ContainerTarget, mine: ReadonlyArray<AlertRule>, options: SeriesOptions | undefined) =>
    Effect.tap(monitor.watch(target, options), (series) => judging(target, mine, series))
  return Alerts.of({
    rules,
    attach: (target, series) => Effect.flatMap(rulesFor(rules, target), (mine) => judging(target, mine, series)),
    watch: Effect.fn("Alerts.watch")(function* (target, options) {
      return yield* watchBy(target, yield* rulesFor(rules, target), options)
    }),
    resume: Effect.fn("Alerts.resume")(function* (options) {
      const found = new Map<string, { readonly target: ContainerTarget; readonly rules: Array<AlertRule> }>()
      for (const { containerId, episode, rule } of yield* Effect.provideService(firing, Journal, parts.journal)) {
        const known = rules.find(({ name }) => name === rule)
        if (known === undefined || entries.has(alertStreamId({ rule, containerId }))) continue
        const resumed = found.get(containerId) ?? { target: { containerId, name: episode.name }, rules: [] }
        resumed.rules.push(known)
        found.set(containerId, resumed)
      }
      for (const { rules: mine, target } of found.values()) yield* watchBy(target, mine, options)
      return [...found.values()].map(({ target }) => target)
    }),
    current: Effect.sync(() =>
      [...entries.values()].map(({ rule, state, target }) => ({ rule, target, state, phase: phaseOf(state) }))
    ),
    acknowledge: (key, { by, note = "" }) => acknowledge(parts, key, by, note)
  })
}

const rulesFor = Effect.fnUntraced(function* (rules: ReadonlyArray<AlertRule>, target: AlertTarget) {
  const mine: Array<AlertRule> = []
  for (const rule of rules) {
    const selected = AlertRules.selects(rule, target)
    if (selected === "unknown") return yield* new LabelsUnknown({ rule: rule.name, name: target.name })
    if (selected) mine.push(rule)
  }
  return mine
})

/** The alerts of one container, with what the journal says of them. One that is watched already is gone on with. */
const join = Effect.fnUntraced(function* (
  { entries, journal }: Parts,
  { containerId, name }: ContainerTarget,
  rules: ReadonlyArray<AlertRule>
): Effect.fn.Return<Watcher, ReadError> {
  const target = { containerId, name }
  const loaded = yield* Effect.forEach(rules, (rule) => {
    const id = alertStreamId({ rule: rule.name, containerId })
    return Effect.map(Decider.load(journal, decider(rule, target, undefined), id), ({ state, version }) => {
      const fresh: Entry = { id, rule, target, state, version, watchers: [] }
      return fresh
    })
  })
  const watcher: Watcher = { entries: loaded.map((fresh) => entries.get(fresh.id) ?? fresh) }
  for (const entry of watcher.entries) {
    entries.set(entry.id, entry)
    entry.watchers.push(watcher)
  }
  return watcher
})

/** Nobody saw the container in between, so what was pending is not any more; without a watcher the alert is forgotten here. */
const leave = ({ entries }: Parts, watcher: Watcher) => {
  for (const entry of watcher.entries) {
    if (entry.watchers[0] === watcher) entry.state = { ...entry.state, pending: undefined }
    const index = entry.watchers.indexOf(watcher)
    if (index >= 0) entry.watchers.splice(index, 1)
    if (entry.watchers.length === 0 && entries.get(entry.id) === entry) entries.delete(entry.id)
  }
}

const judge = Effect.fnUntraced(function* (parts: Parts, watcher: Watcher, judged: Judged, item: SeriesItem) {
  const { sequence } = item
  const atMillis = yield* Clock.currentTimeMillis
  const mine = watcher.entries.filter(({ id, watchers }) => watchers[0] === watcher && sequence > (judged.get(id) ?? 0))
  yield* Effect.forEach(mine, (entry) => {
    // What the ring had dropped before it was read is as if it had not been measured.
    if (sequence > (judged.get(entry.id) ?? sequence) + 1) entry.state = afterGap(entry.state)
    judged.set(entry.id, sequence)
    const command = commandOf(entry.rule, item, atMillis)
    const told = tell(parts, entry, command).pipe(
      Effect.tapError((error) => Effect.logError(`Could not record the alert ${entry.rule.name}`, error))
    )
    // After the loss of a container no further sample comes that could do it: tried until it is recorded.
    return command._tag === "LoseTarget"
      ? Effect.ignore(Effect.retry(told, { schedule: persistently, while: mayPass }))
      : Effect.ignore(told)
  })
  if (item._tag === "Lost") leave(parts, watcher)
})

const persistently = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.jittered
)

const mayPass = (error: AlertNotFiring | AppendError | EventUndecodable) =>
  error._tag === "VersionConflict" || (error._tag === "JournalUnavailable" && error.reason !== "Closed")

const commandOf = (rule: AlertRule, item: SeriesItem, atMillis: number): AlertCommand => {
  switch (item._tag) {
    case "Sampled": {
      const { intervalMillis, values } = item.sample
      return { _tag: "Observe", value: values[rule.metric], atMillis, intervalMillis }
    }
    case "Missed":
      return { _tag: "Observe", value: undefined, atMillis, intervalMillis: undefined }
    case "Lost":
      return { _tag: "LoseTarget", atMillis }
  }
}

/** Most observations change nothing that is on record, and touch memory only. */
const tell = Effect.fnUntraced(function* (
  { journal }: Parts,
  entry: Entry,
  command: AlertCommand
): Effect.fn.Return<void, AlertNotFiring | AppendError | EventUndecodable> {
  const { id, rule, target } = entry
  const stepped = yield* Effect.fromResult(step(rule, target, entry.state, command))
  if (stepped.events.length === 0) {
    entry.state = stepped.state
    return
  }
  settle(entry, yield* Decider.handle(journal, decider(rule, target, entry.state.pending), id, command))
})

/** What was recorded, here or by others meanwhile, takes the place of what was believed; never what is older. */
const settle = (entry: Entry, { state, version }: Decider.Loaded<AlertState>) => {
  if (version < entry.version) return
  entry.state = state
  entry.version = version
}

const acknowledge = Effect.fn("Alerts.acknowledge")(function* (
  { entries, journal }: Parts,
  key: AlertKey,
  by: string,
  note: string
) {
  const atMillis = yield* Clock.currentTimeMillis
  const id = alertStreamId(key)
  const handled = yield* Decider.handle(journal, acknowledging(key), id, { _tag: "Acknowledge", by, note, atMillis })
  const entry = entries.get(id)
  if (entry !== undefined) settle(entry, handled)
})
