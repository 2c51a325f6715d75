/**
 * Knows whether idle sandboxes still run, so that taking one needs no look: the engine's events mark them, and a listing every
 * ten seconds and after a cut stream decides. While the events are not heard, taking does look.
 */
import type { ContainerSummary, EngineEvent } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SandboxLabels from "../SandboxLabels.ts"
import { type Idle, rouse, type Stock } from "./poolState.ts"
import type { Nursery } from "./sandboxInternals.ts"

/** After any of these it is not as it was made. An exec of ours does not happen before it is taken. */
const unfitting: ReadonlySet<string> = new Set(["die", "oom", "kill", "stop", "pause", "restart", "destroy", "update"])

/** Until the scope closes. */
export const watch = Effect.fnUntraced(function* (
  nursery: Nursery,
  stocks: ReadonlyArray<Stock>
): Effect.fn.Return<void, never, Scope.Scope> {
  const labels = {
    [SandboxLabels.keys.journal]: nursery.journalId,
    [SandboxLabels.keys.kind]: "sandbox"
  }
  const setBlind = (blind: boolean) => Effect.sync(() => stocks.forEach((stock) => void (stock.blind = blind)))
  const survey = Effect.suspend(() => {
    // What is stocked meanwhile may be missing in the answer.
    const present = stocks.flatMap((stock) => stock.idle)
    return Effect.map(nursery.engine.listContainers(labels), (containers) =>
      judge(stocks, new Set(present), containers)
    )
  })
  const listen = Stream.runForEach(nursery.engine.events({ labels }), (event) => Effect.sync(() => hear(stocks, event)))
  // The listing is asked for after the events, so what happens in between is heard or seen.
  const hearing = Effect.all([listen, Effect.andThen(survey, setBlind(false))], { concurrency: 2 }).pipe(
    Effect.ignore({ log: "Debug" }),
    Effect.ensuring(setBlind(true)),
    Effect.repeat(Schedule.spaced("1 second"))
  )
  yield* Effect.forkScoped(hearing)
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(survey, { log: "Debug" }), Schedule.spaced("10 seconds")))
})

const mark = (stock: Stock, isUnfit: (item: Idle) => boolean) => {
  const found = stock.idle.filter((item) => !item.unfit && isUnfit(item))
  for (const item of found) item.unfit = true
  if (found.length > 0) rouse(stock)
}

const hear = (stocks: ReadonlyArray<Stock>, { action, actorId }: EngineEvent) => {
  if (unfitting.has(action)) stocks.forEach((stock) => mark(stock, ({ sandbox }) => sandbox.containerId === actorId))
}

const judge = (
  stocks: ReadonlyArray<Stock>,
  present: ReadonlySet<Idle>,
  containers: ReadonlyArray<ContainerSummary>
) => {
  const running = new Set(containers.flatMap(({ id, status }) => (status === "running" ? [id] : [])))
  stocks.forEach((stock) => mark(stock, (item) => present.has(item) && !running.has(item.sandbox.containerId)))
}
