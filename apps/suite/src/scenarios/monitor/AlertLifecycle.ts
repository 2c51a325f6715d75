/**
 * The memory of a sandbox drives one alert from pending over firing and acknowledged to resolved: once, however it moves between the
 * thresholds, told to a callback and to a webhook that refuses at first, and on record.
 */
import { eventually, that, Undecidable, within } from "@sbx/core/Expect"
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as AlertDelivery from "@sbx/monitor/AlertDelivery"
import type { AlertEvent } from "@sbx/monitor/AlertEvent"
import type { AlertNotice } from "@sbx/monitor/AlertNotice"
import * as AlertReceiver from "@sbx/monitor/AlertReceiver"
import type { AlertRuleOptions } from "@sbx/monitor/AlertRule"
import * as Alerts from "@sbx/monitor/Alerts"
import * as AlertWebhook from "@sbx/monitor/AlertWebhook"
import { Monitor } from "@sbx/monitor/Monitor"
import type { Series } from "@sbx/monitor/Series"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { FetchHttpClient } from "effect/http"
import { Images } from "../../Images.ts"
import * as KernelView from "../../internal/kernelView.ts"
import * as LoopbackHook from "../../internal/loopbackHook.ts"
import { isNear, measured } from "../../internal/measured.ts"

const MiB = 1024 ** 2
const limitBytes = 120 * MiB
const metric = "memoryPercentOfLimit"
const rule = {
  name: "memory-pressure",
  metric,
  threshold: 80,
  resolveThreshold: 70,
  severity: "critical",
  for: "1 second"
} as const satisfies AlertRuleOptions
/** 85 % of the limit and 75 %, with what the sandbox uses by itself a little above. */
const [highBytes, middleBytes] = [102 * MiB, 90 * MiB]
/** Of a wait that takes a second or two where the host is not busy; it costs time only where it fails. */
const patience = "15 seconds"

/** The file grows and shrinks in place: a level in between is never left. */
const grow = (sandbox: Sandbox, bytes: number) =>
  sandbox.execOk([
    "sh",
    "-c",
    `head -c $((${bytes} - $(stat -c %s /tmp/hog 2> /dev/null || echo 0))) /dev/zero >> /tmp/hog`
  ])
const shrink = (sandbox: Sandbox, bytes: number) => sandbox.execOk(["truncate", "-s", String(bytes), "/tmp/hog"])

/** What happened to this sandbox's alert, as two receivers were told. */
const receivers = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const mine = sandbox.containerId.slice(0, 12)
  const callback = yield* Queue.unbounded<AlertNotice>()
  const isMine = ({ event }: AlertNotice) => event.containerId === sandbox.containerId
  const hook = yield* LoopbackHook.listen({ refusals: 1 })
  const receiver = AlertReceiver.callback(`suite-callback-${mine}`, (notice) => Queue.offer(callback, notice))
  const webhook = yield* AlertWebhook.make({ name: `suite-webhook-${mine}`, url: hook.url })
  const only = ({ deliver, name }: AlertReceiver.AlertReceiver) =>
    AlertReceiver.callback(name, (notice) => (isMine(notice) ? deliver(notice) : Effect.void))
  yield* AlertDelivery.start([only(receiver), only(webhook)], { from: "now", firstPause: "100 millis" })
  const next = (who: string, from: Queue.Dequeue<AlertNotice>) =>
    within(`a notice to ${who}`, Queue.take(from), patience)
  return {
    refused: hook.refused,
    next: Effect.all([next("the callback", callback), next("the webhook", hook.notices)], { concurrency: "unbounded" })
  }
})

/** The phases of the alert in their order, each once in a row. */
const phasesOf = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { current } = yield* Alerts.Alerts
  const phases: Array<string> = []
  const look = Effect.map(current, (alerts) => {
    const phase = alerts.find(({ target }) => target.containerId === sandbox.containerId)?.phase ?? "unwatched"
    if (phases.at(-1) !== phase) phases.push(phase)
  })
  const fiber = yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep("20 millis"))))
  return { stop: Effect.as(Effect.andThen(look, Fiber.interrupt(fiber)), phases) }
})

/** Both receivers were told the same next event, and it is this one. */
const told = Effect.fnUntraced(function* <T extends AlertEvent["_tag"]>(
  tag: T,
  next: Effect.Success<ReturnType<typeof receivers>>["next"]
) {
  const { check } = yield* Scenario.ScenarioContext
  const [byCallback, byWebhook] = yield* next
  yield* check(
    `callback and webhook are told of ${tag}`,
    byCallback.event._tag === tag && byCallback.id === byWebhook.id,
    {
      expected: `${tag} ${byCallback.id}`,
      actual: `${byCallback.event._tag} ${byCallback.id}, ${byWebhook.event._tag} ${byWebhook.id}`
    }
  )
  return byCallback
})

/** Whether the monitor reads the load as it is: an alert on anything else would say nothing. */
const loads = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  yield* grow(sandbox, highBytes)
  const percent = yield* measured(yield* (yield* Monitor).sample(sandbox, { window: "10 millis" }), metric)
  const inside = ((yield* KernelView.read(sandbox)).memoryBytes / limitBytes) * 100
  yield* evidence("load", { percentOfLimit: percent, kernelPercent: inside })
  return yield* check("the load is read as the kernel tells it", isNear(percent, inside, 0.05), {
    expected: `${inside} % ± 5 %`,
    actual: `${percent} %`
  })
})

const fires = Effect.fnUntraced(function* (next: Parameters<typeof told>[1]) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  const { event } = yield* told("AlertFired", next)
  if (event._tag !== "AlertFired") return
  yield* evidence("fired", { value: event.value, heldMillis: event.heldMillis })
  const holds = event.value > rule.threshold && event.heldMillis >= 1000
  yield* check("it fired above the threshold, after it had held", holds, {
    expected: `> ${rule.threshold} %, held for 1000 ms or more`,
    actual: `${event.value} %, held for ${event.heldMillis} ms`
  })
})

const openEpisode = (sandbox: Sandbox) =>
  Effect.map(Alerts.firing, (all) => all.find(({ containerId }) => containerId === sandbox.containerId)?.episode)

const isAcknowledged = Effect.fnUntraced(function* (sandbox: Sandbox, next: Parameters<typeof told>[1]) {
  const { check } = yield* Scenario.ScenarioContext
  const { acknowledge } = yield* Alerts.Alerts
  yield* acknowledge({ rule: rule.name, containerId: sandbox.containerId }, { by: "suite", note: "seen" })
  yield* told("AlertAcknowledged", next)
  const open = yield* openEpisode(sandbox)
  yield* check("it fires on, acknowledged", open?.acknowledged?.by === "suite", {
    expected: "firing, acknowledged by suite",
    actual: open === undefined ? "not firing" : `acknowledged by ${open.acknowledged?.by ?? "nobody"}`
  })
})

/** Waits until the series has seen the level between the thresholds. */
const seenBetween = (series: Series) =>
  eventually(
    "memory between the thresholds",
    Effect.gen(function* () {
      const latest = (yield* series.recent).at(-1)
      if (latest === undefined) return yield* new Undecidable({ what: metric, detail: "there is no sample yet" })
      const value = yield* measured(latest, metric)
      yield* that(value > rule.resolveThreshold && value <= rule.threshold, {
        what: metric,
        expected: `above ${rule.resolveThreshold}, at most ${rule.threshold}`,
        actual: String(value)
      })
    }),
    { within: patience, every: "20 millis" }
  )

const wavers = Effect.fnUntraced(function* (sandbox: Sandbox, series: Series) {
  const { check } = yield* Scenario.ScenarioContext
  yield* shrink(sandbox, middleBytes)
  yield* seenBetween(series)
  yield* grow(sandbox, highBytes)
  const open = yield* openEpisode(sandbox)
  yield* check("it fires on between the thresholds", open?.episode === 1, {
    expected: "episode 1",
    actual: open === undefined ? "not firing" : `episode ${open.episode}`
  })
})

const resolves = Effect.fnUntraced(function* (sandbox: Sandbox, next: Parameters<typeof told>[1]) {
  const { check } = yield* Scenario.ScenarioContext
  yield* shrink(sandbox, 0)
  const { event } = yield* told("AlertResolved", next)
  if (event._tag !== "AlertResolved") return
  yield* check("it resolved below the lower threshold", (event.value ?? Number.NaN) <= rule.resolveThreshold, {
    expected: `recovered, at most ${rule.resolveThreshold} %`,
    actual: `${event.reason}, ${event.value} %`
  })
})

/** Below the threshold nothing fires: the level in between after the resolve, and what the journal holds then. */
const happenedOnce = Effect.fnUntraced(function* (sandbox: Sandbox, series: Series) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  yield* grow(sandbox, middleBytes)
  yield* seenBetween(series)
  const key = { rule: rule.name, containerId: sandbox.containerId }
  const events = yield* Stream.runCollect(Alerts.history(key))
  const facts = events.map(({ payload }) => `${payload._tag} ${payload.episode}`).join(", ")
  yield* evidence("history", facts)
  const expected = "AlertFired 1, AlertAcknowledged 1, AlertResolved 1"
  yield* check("one episode is on record, once", facts === expected, { expected, actual: facts })
})

const lives = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { check, evidence, step } = yield* Scenario.ScenarioContext
  const { next, refused } = yield* receivers(sandbox)
  const series = yield* (yield* Alerts.Alerts).watch(sandbox, { interval: "100 millis" })
  const phases = yield* phasesOf(sandbox)
  if (!(yield* step("load", loads(sandbox)))) return
  yield* step("fire", fires(next))
  yield* step("acknowledge", isAcknowledged(sandbox, next))
  yield* step("waver between the thresholds", wavers(sandbox, series))
  yield* step("resolve", resolves(sandbox, next))
  const seen = (yield* phases.stop).join(", ")
  yield* evidence("phases", seen)
  yield* check("it went through its phases once", seen === "inactive, pending, firing, resolved", {
    expected: "inactive, pending, firing, resolved",
    actual: seen
  })
  yield* step("replay", happenedOnce(sandbox, series))
  yield* check("the webhook was told again after it had refused", (yield* refused) === 1)
})

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step(
    "create",
    (yield* Sandboxes).make({ image, memory: limitBytes, tmp: limitBytes - 4 * MiB })
  )
  yield* lives(sandbox).pipe(Effect.provide([Alerts.layerWith([rule]), FetchHttpClient.layer]))
})

export const alertLifecycle = Scenario.make(
  "monitor/alert-lifecycle",
  {
    description:
      "memory drives one alert from pending to resolved: once, acknowledged, delivered to callback and webhook, on record",
    images: ["tiny"],
    timeout: "60 seconds",
    // It has fired by then, and nothing let it resolve.
    failures: ["AlertNotFiring"]
  },
  program
)
