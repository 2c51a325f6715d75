/** `sbx engine up|down|status`: sbx's private engine, and which engine would be used. */
import * as Docker from "@sbx/engine/Docker"
import type { EngineEndpoint } from "@sbx/engine/Engine"
import { EngineLocator, type NoEngine } from "@sbx/engine/EngineLocator"
import { PrivateEngine } from "@sbx/engine/PrivateEngine"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Command, Flag } from "effect/cli"
import * as Composition from "../Composition.ts"
import { dockerHost } from "../internal/dockerHost.ts"
import { install, json } from "../internal/flags.ts"
import { report } from "../internal/stepProgress.ts"
import { Output } from "../Output.ts"
import { Progress } from "../Progress.ts"
import * as Recovery from "../Recovery.ts"

const Status = Schema.Struct({
  kind: Schema.Literals(["explicit", "context", "default", "private"]),
  endpoint: Schema.String,
  running: Schema.Boolean,
  /** Of the daemon; null when it does not run or does not talk to this user. */
  version: Schema.NullOr(Schema.String)
})
type Status = typeof Status.Type

const show = Effect.fnUntraced(function* (status: Status, asJson: boolean) {
  const output = yield* Output
  if (asJson) return yield* output.json(Status, status)
  const state = status.running
    ? `running, version ${status.version ?? "not shown: its socket is for root only"}`
    : "not running"
  yield* output.print(`${status.kind} engine at ${status.endpoint}: ${state}`)
})

const privateStatus = Effect.gen(function* () {
  const { version, ...status } = yield* (yield* PrivateEngine).status
  return { ...status, version: version ?? null } satisfies Status
})

/** An explicit engine that does not answer; what was tried goes to standard error. */
const silent = Effect.fnUntraced(function* ({ tries }: NoEngine) {
  const progress = yield* Progress
  for (const { what, why } of tries) yield* progress.line(`${what}: ${why}`)
  const host = yield* dockerHost
  // `context <name> <address>`; a context that is not there has no address.
  const endpoint = host ?? tries[0]?.what.split(" ")[2] ?? ""
  const kind = host === undefined ? "context" : "explicit"
  return { kind, endpoint, running: false, version: null } satisfies Status
})

/** It answered a moment ago and does not now, or speaks no version of ours. */
const unusable = Effect.fnUntraced(function* ({ kind, address }: EngineEndpoint, error: Error) {
  yield* (yield* Progress).line(error.message)
  return { kind, endpoint: address, running: false, version: null } satisfies Status
})

const statusOf = (endpoint: EngineEndpoint): Effect.Effect<Status, never, Progress | PrivateEngine> =>
  endpoint.kind === "private"
    ? privateStatus
    : Docker.make(endpoint).pipe(
        Effect.flatMap((engine) => engine.info),
        Effect.map(({ version }) => ({ kind: endpoint.kind, endpoint: endpoint.address, running: true, version })),
        Effect.catch((error) => unusable(endpoint, error))
      )

/** The engine that a run would use, without starting or taking anything. That none answers is an answer. */
const statusNow = Effect.gen(function* () {
  return yield* (yield* EngineLocator).locate().pipe(
    Effect.flatMap(({ kind, address }) => statusOf({ kind, address })),
    Effect.catchTag("NoEngine", silent)
  )
}).pipe(Effect.scoped, Effect.provide(Composition.enginesAsTheyAre))

const up = Command.make(
  "up",
  { json, install },
  Effect.fnUntraced(function* (input) {
    const progress = yield* Progress
    const engine = yield* PrivateEngine
    const { warnings } = yield* engine.up({ install: input.install, onProgress: report(progress) })
    yield* progress.status("")
    for (const warning of warnings) yield* progress.line(warning)
    yield* Recovery.atStart({ directory: process.cwd() }).pipe(
      Effect.provide(Composition.recoveryOf({ kind: "private", address: engine.endpoint }))
    )
    yield* show(yield* privateStatus, input.json)
  }, Effect.provide(Composition.engines))
).pipe(Command.withDescription("Start the private engine"))

const force = Flag.Boolean("force").pipe(
  Flag.withDescription("Stop it even while other processes use it; what they run ends"),
  Flag.withDefault(false)
)

const down = Command.make(
  "down",
  { json, force },
  Effect.fnUntraced(function* (input) {
    const progress = yield* Progress
    yield* progress.status("stopping the private engine")
    yield* (yield* PrivateEngine).down({ force: input.force })
    yield* progress.status("")
    yield* show(yield* privateStatus, input.json)
  }, Effect.provide(Composition.engines))
).pipe(Command.withDescription("Stop the private engine and all that runs in it; images stay"))

const status = Command.make("status", { json }, (input) =>
  Effect.flatMap(statusNow, (found) => show(found, input.json))
).pipe(Command.withDescription("Show the engine that a run would use"))

export const engine = Command.make("engine").pipe(
  Command.withDescription("Start, stop or show the container engine"),
  Command.withSubcommands([up, down, status])
)
