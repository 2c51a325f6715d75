/** `sbx events`: what happened in a run, as typed facts in order; live with `--follow`. Reads while another process writes. */
import type { Filter } from "@sbx/journal/Journal"
import { Journal, RecordedJson } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Command, Flag } from "effect/cli"
import * as EventCatalog from "../EventCatalog.ts"
import { json } from "../internal/flags.ts"
import { Output } from "../Output.ts"
import * as RunStore from "../RunStore.ts"

const flags = {
  json,
  run: Flag.String("run").pipe(
    Flag.withDescription("Id of a run of this directory"),
    Flag.withMetavar("id"),
    Flag.withDefault("last")
  ),
  follow: Flag.Boolean("follow").pipe(
    Flag.withAlias("f"),
    Flag.withDescription("Go on with what happens from now on, until interrupted"),
    Flag.withDefault(false),
    Flag.withoutNegation
  ),
  types: Flag.String("type").pipe(
    Flag.withDescription("Only events of this type; may be repeated"),
    Flag.withMetavar("type"),
    Flag.atLeast(0)
  )
}

export const events = Command.make(
  "events",
  flags,
  Effect.fnUntraced(function* (input) {
    const types = yield* Effect.forEach(input.types, EventCatalog.parseType)
    const path = yield* RunStore.journalOf(process.cwd(), input.run)
    const filter: Filter = types.length === 0 ? {} : { types }
    yield* show({ filter, follow: input.follow, json: input.json }).pipe(Effect.provide(Sqlite.layerReader({ path })))
  })
).pipe(Command.withDescription("Print the events of a run"))

const show = Effect.fnUntraced(function* (options: {
  readonly filter: Filter
  readonly follow: boolean
  readonly json: boolean
}) {
  const output = yield* Output
  const journal = yield* Journal
  const { filter } = options
  const stored = options.follow
    ? journal.subscribe({ from: { _tag: "Start" }, filter }).pipe(
        Stream.filter((delivery) => delivery._tag === "Event"),
        Stream.map((delivery) => delivery.event)
      )
    : journal.readAll({ filter })
  yield* Stream.runForEach(stored, (recorded) =>
    // Decoded first: what is printed is known to fit its type, or is of a type that this program does not know.
    EventCatalog.all
      .decode(recorded)
      .pipe(
        Effect.andThen(options.json ? output.json(RecordedJson, recorded) : output.print(EventCatalog.line(recorded)))
      )
  )
})
