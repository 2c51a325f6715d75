/** Runs commands on an engine and tells what it shows, in the model's words. */
import type { Engine, EngineEvent, EngineShape } from "@sbx/engine/Engine"
import { awaitExecExit } from "@sbx/engine/ExecExit"
import { Clock, Data, Effect, Schedule, Stream } from "effect"
import type { Command, Main, Model, Slot } from "./engineModel.ts"
import { empty, line, seenOf, step } from "./engineModel.ts"

/** An engine, and the command lines that do in its containers what the commands mean. */
export interface Subject {
  readonly engine: Engine["Service"]
  readonly image: string
  /** Part of each name. */
  readonly run: string
  readonly main: (main: Main) => ReadonlyArray<string>
  readonly exits: (code: number) => ReadonlyArray<string>
  /** Makes the main process end with a code. */
  readonly crashes: (code: number) => ReadonlyArray<string>
}

const nameOf = (subject: Subject, slot: Slot) => `sbx-test-${subject.run}-${slot}`

const patience = "20 seconds"

interface Told {
  readonly _tag: string
  readonly reason?: string
  readonly kind?: string
  readonly status?: number
}

const tellError = (error: Told) =>
  Effect.succeed(
    [error._tag, error.reason ?? error.kind ?? error.status].filter((word) => word !== undefined).join(" ")
  )

const exec = (subject: Subject, slot: Slot, argv: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const open = yield* subject.engine.exec(nameOf(subject, slot), { argv })
    yield* Stream.runDrain(open.output)
    return (yield* awaitExecExit(subject.engine, open.execId, patience)).exitCode
  }).pipe(Effect.scoped)

/** The main process has set itself up as often as it was started. */
const awaitReady = (subject: Subject, slot: Slot, starts: number) =>
  subject.engine.logs(nameOf(subject, slot), { follow: true }).pipe(
    Stream.map(({ bytes }) => Buffer.from(bytes).toString()),
    Stream.scan(
      () => 0,
      (count, text) => count + text.split("ready\n").length - 1
    ),
    Stream.takeUntil((count) => count >= starts),
    Stream.runDrain,
    Effect.timeout(patience)
  )

const create = ({ engine, image, main, run }: Subject, slot: Slot, which: Main) =>
  engine.createContainer({
    name: `sbx-test-${run}-${slot}`,
    image,
    command: main(which),
    labels: { "sbx.test": run },
    host: { networkMode: "none", tmpfs: { "/run": "rw" } }
  })

const start = (subject: Subject, slot: Slot, starts: Map<Slot, number>) =>
  Effect.gen(function* () {
    const { engine } = subject
    const name = nameOf(subject, slot)
    const { state } = yield* engine.inspectContainer(name)
    yield* engine.startContainer(name)
    if (state.running) return
    starts.set(slot, (starts.get(slot) ?? 0) + 1)
    yield* awaitReady(subject, slot, starts.get(slot) ?? 0)
  })

/** A polite one is given time; a stubborn one would use all of it. */
const grace = (main: Main | undefined) => ({ graceSeconds: main === "polite" ? 20 : 0 })

const act = (
  subject: Subject,
  command: Command,
  main: Main | undefined,
  starts: Map<Slot, number>
): Effect.Effect<string, Told> => {
  const { engine } = subject
  const { slot } = command
  const name = nameOf(subject, slot)
  const ok = <A, E>(self: Effect.Effect<A, E>) => Effect.as(self, "ok")
  switch (command.does) {
    case "create":
      return ok(Effect.tap(create(subject, slot, command.main), () => Effect.sync(() => starts.delete(slot))))
    case "start":
      return ok(start(subject, slot, starts))
    case "exec":
      return Effect.map(exec(subject, slot, subject.exits(command.code)), (code) => `exit ${code}`)
    case "execMissing":
      return exec(subject, slot, ["/nope"]).pipe(
        Effect.map((code) => ([126, 127, 128].includes(code) ? "cannot run" : `exit ${code}`)),
        Effect.catchTag("InvalidRequest", ({ reason }) =>
          Effect.succeed(reason === "command-not-found" ? "cannot run" : reason)
        )
      )
    case "crash":
      return exec(subject, slot, subject.crashes(command.code)).pipe(
        Effect.andThen(engine.waitContainer(name)),
        Effect.map(({ exitCode }) => `exit ${exitCode}`)
      )
    case "pause":
      return ok(engine.pauseContainer(name))
    case "resume":
      return ok(engine.unpauseContainer(name))
    case "kill":
      return ok(engine.killContainer(name, command.signal))
    case "stop":
      return ok(engine.stopContainer(name, grace(main)))
    case "restart":
      return ok(Effect.andThen(engine.stopContainer(name, grace(main)), start(subject, slot, starts)))
    case "wait":
      return Effect.flatMap(engine.inspectContainer(name), ({ state }) =>
        state.running
          ? Effect.succeed("would wait")
          : Effect.map(engine.waitContainer(name), ({ exitCode }) => `exit ${exitCode}`)
      )
    case "stats":
      return Effect.map(engine.statsContainer(name), (stats) => (stats === "absent" ? "absent" : "present"))
    case "update":
      return ok(engine.updateContainer(name, { pidsLimit: 50 }))
    case "remove":
      return ok(engine.removeContainer(name))
  }
}

const look = (engine: EngineShape, name: string) =>
  engine.inspectContainer(name).pipe(
    Effect.map(({ state }) => `${state.status} ${state.exitCode ?? "-"}`),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed("nothing"))
  )

/** Engines answer when a signal is sent: an end that it should bring is awaited, and that one who was paused is awake. */
const settle = (subject: Subject, command: Command, after: Model) => {
  if (command.does !== "kill") return Effect.void
  const { engine } = subject
  const name = nameOf(subject, command.slot)
  const expected = after[command.slot]?.status
  const awake = Effect.repeat(engine.inspectContainer(name), {
    until: ({ state }) => !state.paused,
    schedule: Schedule.spaced("20 millis")
  })
  const settled =
    expected === "exited" ? engine.waitContainer(name) : expected === "running" ? Effect.asVoid(awake) : Effect.void
  return Effect.ignore(Effect.timeout(settled, patience))
}

export interface Traces {
  readonly engine: ReadonlyArray<string>
  readonly model: ReadonlyArray<string>
  /** What the engine told of each slot's containers, in its order. */
  readonly events: ReadonlyArray<string>
}

const slots = ["a", "b"] as const

/** When an exec was seen to end, or a paused one to be awake, is chance: engines learn of it by and by. */
const byAndBy = new Set(["exec_die", "unpause"])

const toLine = ({ action, attributes, detail }: EngineEvent) => {
  const facts = [action, detail, attributes["signal"], attributes["exitCode"]].filter((fact) => fact !== undefined)
  return byAndBy.has(action) ? [] : [`${attributes["name"]?.at(-1)}: ${facts.join(" ")}`]
}

/** Events of the sequence, in one order for each slot. A container made and removed last marks their end. */
const eventsOf = (subject: Subject, during: Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const { engine, image, run } = subject
    const labels = { "sbx.test": run }
    const sinceMillis = yield* Clock.currentTimeMillis
    yield* during
    const name = `sbx-test-${run}-end`
    yield* engine.createContainer({ name, image, command: subject.exits(0), labels, host: { networkMode: "none" } })
    yield* engine.removeContainer(name)
    const told = yield* engine.events({ labels, sinceMillis: sinceMillis - 1 }).pipe(
      Stream.takeUntil(({ action, attributes }) => action === "destroy" && attributes["name"] === name),
      Stream.runCollect,
      Effect.timeout(patience)
    )
    return slots.flatMap((slot) => told.flatMap(toLine).filter((one) => one.startsWith(slot)))
  })

const removeAll = (subject: Subject) =>
  Effect.forEach([...slots, "end"], (slot) =>
    Effect.ignore(subject.engine.removeContainer(`sbx-test-${subject.run}-${slot}`))
  )

/** Both traces of a sequence. Nothing of it is left in the engine. */
export const drive = (subject: Subject, commands: ReadonlyArray<Command>): Effect.Effect<Traces, unknown> =>
  Effect.gen(function* () {
    const traces = { engine: new Array<string>(), model: new Array<string>() }
    const starts = new Map<Slot, number>()
    let model: Model = empty
    const all = Effect.gen(function* () {
      for (const command of commands) {
        const main = model[command.slot]?.main
        const expected = step(model, command)
        model = expected.model
        const outcome = yield* act(subject, command, main, starts).pipe(
          Effect.catch((error) => tellError(error)),
          Effect.timeout("60 seconds")
        )
        yield* settle(subject, command, model)
        const seen = yield* look(subject.engine, nameOf(subject, command.slot))
        traces.engine.push(line(command, outcome, seen))
        traces.model.push(line(command, expected.outcome, seenOf(model[command.slot])))
      }
    })
    return { ...traces, events: yield* eventsOf(subject, all) }
  }).pipe(Effect.ensuring(removeAll(subject)))

class Disagreement extends Data.TaggedError("Disagreement")<{ readonly message: string }> {}

/** Fails where the two part, with what led there. */
export const agree = ({ engine, model }: Pick<Traces, "engine" | "model">): Effect.Effect<void, Disagreement> => {
  const at = engine.findIndex((seen, index) => seen !== model[index])
  if (at < 0 && engine.length === model.length) return Effect.void
  const from = at < 0 ? engine.length : at
  const lines = [...engine.slice(0, from), `the engine: ${engine[from]}`, `the model:  ${model[from]}`]
  return Effect.fail(new Disagreement({ message: `The engine and the model do not agree.\n${lines.join("\n")}` }))
}
