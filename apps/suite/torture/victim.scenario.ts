/**
 * The run that is killed: sandboxes, networks and a fault in flight at once, and appends whose acknowledgement is noted outside of the
 * process, a line each, so that what was acknowledged is known after its death. Says `ready` by a file in the working directory.
 */
import { cpuStress } from "@sbx/chaos/Fault"
import { FailureInjector } from "@sbx/chaos/FailureInjector"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import { Engine } from "@sbx/engine/Engine"
import { any, CommandId, Journal, streamName } from "@sbx/journal/Journal"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { Images } from "../src/Images.ts"

const count = Config.Int("SBX_TORTURE_SANDBOXES").pipe(Config.withDefault(20))
/** How long all of it stays up; until there is a file `release` when absent. */
const holdMillis = Config.option(Config.Int("SBX_TORTURE_HOLD_MILLIS"))

/** Appends without end. A line of `acks` is the position and the number of an acknowledged event. */
const acknowledge = Effect.gen(function* () {
  const journal = yield* Journal
  const fs = yield* FileSystem
  const stream = streamName("torture", "acks")
  for (let n = 0; ; n++) {
    const event = { type: "Ticked", schemaVersion: 1, payload: { n } }
    const { last } = yield* journal.append(stream, [event], { expected: any, commandId: CommandId.make(`tick-${n}`) })
    yield* fs.writeFileString("acks", `${last} ${n}\n`, { flag: "a" })
  }
})

const released = Effect.gen(function* () {
  const fs = yield* FileSystem
  while (!(yield* fs.exists("release"))) yield* Effect.sleep("50 millis")
})

/** Two networks with the labels of this run. */
const networks = Effect.fnUntraced(function* (labels: Readonly<Record<string, string>>, prefix: string) {
  const engine = yield* Engine
  const mine = Object.fromEntries(
    Object.entries(labels).filter(([key]) => key.startsWith(SandboxLabels.reservedPrefix))
  )
  return yield* Effect.forEach([1, 2], (n) => {
    const name = `${prefix}-net${n}`
    return Effect.acquireRelease(
      engine
        .createNetwork({ name, internal: true, labels: { ...mine, [SandboxLabels.keys.kind]: "network" } })
        .pipe(Effect.as(name)),
      () => Effect.orDie(engine.removeNetwork(name))
    )
  })
})

const program = Effect.gen(function* () {
  const { check, step } = yield* Scenario.ScenarioContext
  const fs = yield* FileSystem
  const sandboxes = yield* Sandboxes
  const image = yield* (yield* Images).reference("tiny")
  yield* Effect.forkScoped(acknowledge)
  const options = { image, disk: "8M", memory: "32M" } as const
  const first = yield* step("first sandbox", sandboxes.make(options))
  const { labels } = yield* (yield* Engine).inspectContainer(first.containerId)
  const names = yield* networks(labels, `sbx-torture-${first.id.slice(-8).toLowerCase()}`)
  const others = Array.from({ length: (yield* count) - 1 }, (_, n) => ({
    ...options,
    network: n < 4 ? (names[n % 2] ?? "none") : "none"
  }))
  yield* step(
    "all in flight",
    Effect.all(
      [
        Effect.forEach(others, (one) => sandboxes.make(one), { concurrency: "unbounded", discard: true }),
        Effect.flatMap(FailureInjector, (injector) => injector.inject(first, cpuStress(), { duration: "5 minutes" }))
      ],
      { concurrency: "unbounded", discard: true }
    )
  )
  yield* fs.writeFileString("ready", "")
  const hold = yield* holdMillis
  yield* step("hold", hold._tag === "Some" ? Effect.sleep(hold.value) : released)
  const alive = yield* sandboxes.list
  yield* check("every sandbox is alive", alive.length === others.length + 1)
})

export default Scenario.make(
  "torture/victim",
  { description: "many objects in flight", timeout: "5 minutes", images: ["tiny"] },
  program
)
