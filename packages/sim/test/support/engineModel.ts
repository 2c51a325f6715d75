/**
 * What an engine should do, as a pure function from a state and a command to a state and an observation. It knows nothing of fibers,
 * sockets or time: it is what a simulated and a real engine are both compared with.
 */
import { Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"

/** Mostly the first: what happens to one container makes the long stories. */
const Slot = Schema.Literals(["a", "a", "a", "b"])

/** Polite ends with 42 on SIGTERM; stubborn, as PID 1 without a handler, ignores it; missing cannot be started. */
const Main = Schema.Literals(["polite", "polite", "stubborn", "stubborn", "missing"])
const Code = Schema.Literals([0, 1, 7, 255])

const Create = Schema.Struct({ does: Schema.Literal("create"), slot: Slot, main: Main })
const Start = Schema.Struct({ does: Schema.Literal("start"), slot: Slot })
const Signal = Schema.Literals(["KILL", "TERM", "HUP", "NONSENSE"])

/** Creating and starting come up more often: without them nothing else means much. */
const Command = Schema.Union([
  Create,
  Create,
  Start,
  Start,
  Start,
  Schema.Struct({ does: Schema.Literal("exec"), slot: Slot, code: Code }),
  Schema.Struct({ does: Schema.Literal("execMissing"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("crash"), slot: Slot, code: Code }),
  Schema.Struct({ does: Schema.Literal("pause"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("resume"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("kill"), slot: Slot, signal: Signal }),
  Schema.Struct({ does: Schema.Literal("stop"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("restart"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("wait"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("stats"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("update"), slot: Slot }),
  Schema.Struct({ does: Schema.Literal("remove"), slot: Slot })
])
export type Command = typeof Command.Type
export type Slot = typeof Slot.Type
export type Main = typeof Main.Type

/** Each command may be left out: that is what a failure shrinks by, since lengths are fixed and do not grow with the runs. */
const Chance = Schema.Struct({ kept: Schema.Boolean, command: Command })
const Opening = Schema.Literals(["polite", "stubborn"])

/** A container is made and started, then at most so many commands follow. */
export const sequence = (most: number): Arbitrary.Arbitrary<ReadonlyArray<Command>> =>
  Arbitrary.map(
    Arbitrary.all([
      Arbitrary.schema(Opening),
      Arbitrary.all(Array.from({ length: 2 * most }, () => Arbitrary.schema(Chance)))
    ]),
    ([main, chances]) => [
      { does: "create", slot: "a", main },
      { does: "start", slot: "a" },
      ...chances.flatMap(({ command, kept }) => (kept ? [command] : [])).slice(0, most)
    ]
  )

export interface Modelled {
  readonly main: Main
  readonly status: "created" | "running" | "paused" | "exited"
  readonly exitCode: number | undefined
  /** A start failed. */
  readonly broken: boolean
}

/** Absent slots hold nothing. */
export type Model = Readonly<Partial<Record<Slot, Modelled>>>

export interface Step {
  readonly model: Model
  /** `ok`, an exit code, or an error's tag and reason. */
  readonly outcome: string
}

export const empty: Model = {}

const notFound = "ObjectNotFound container"
const notRunning = "EngineConflict not-running"

const isUp = ({ status }: Modelled) => status === "running" || status === "paused"
const exited = (it: Modelled, exitCode: number): Modelled => ({ ...it, status: "exited", exitCode })
const up = (it: Modelled): Modelled => ({ ...it, status: "running", exitCode: undefined })

type Change = readonly [outcome: string, next?: Modelled | "gone"]

const start = (it: Modelled): Change => {
  if (it.status === "paused") return ["EngineConflict paused"]
  if (it.status === "running") return ["ok"]
  return it.main === "missing" ? ["InvalidRequest command-not-found", { ...it, broken: true }] : ["ok", up(it)]
}

const stop = (it: Modelled): Change => (isUp(it) ? ["ok", exited(it, it.main === "polite" ? 42 : 137)] : ["ok"])

const kill = (it: Modelled, signal: string): Change => {
  if (!isUp(it)) return [notRunning]
  if (signal === "KILL") return ["ok", exited(it, 137)]
  if (signal === "TERM" && it.main === "polite") return ["ok", exited(it, 42)]
  // A signal wakes what is paused, whatever it does to it.
  return ["ok", up(it)]
}

/** What every call that needs a running process answers when there is none. */
const refused = (it: Modelled): string | undefined =>
  it.status === "paused" ? "EngineConflict paused" : it.status === "running" ? undefined : notRunning

const restart = (it: Modelled): Change => {
  const [, down] = stop(it)
  const stopped = down === undefined || down === "gone" ? it : down
  const [outcome, next] = start(stopped)
  return [outcome, next ?? stopped]
}

const change = (it: Modelled, command: Command): Change => {
  switch (command.does) {
    case "create":
      return ["EngineConflict name-in-use"]
    case "start":
      return start(it)
    case "exec":
      return [refused(it) ?? `exit ${command.code}`]
    case "execMissing":
      return [refused(it) ?? "cannot run"]
    case "crash":
      return refused(it) === undefined ? [`exit ${command.code}`, exited(it, command.code)] : [refused(it) ?? ""]
    case "pause":
      if (it.status === "paused") return ["EngineConflict already-paused"]
      return isUp(it) ? ["ok", { ...it, status: "paused" }] : [notRunning]
    case "resume":
      return it.status === "paused" ? ["ok", up(it)] : ["EngineConflict not-paused"]
    case "kill":
      return kill(it, command.signal)
    case "stop":
      return stop(it)
    case "restart":
      return restart(it)
    case "wait":
      if (isUp(it)) return ["would wait"]
      return [it.broken ? "EngineFailure 500" : `exit ${it.exitCode ?? 0}`]
    case "stats":
      return [isUp(it) ? "present" : "absent"]
    case "update":
      return ["ok"]
    case "remove":
      return ["ok", "gone"]
  }
}

const onNothing = (command: Command): Change => {
  if (command.does === "create") {
    return ["ok", { main: command.main, status: "created", exitCode: undefined, broken: false }]
  }
  return [command.does === "remove" ? "ok" : notFound]
}

/** Refused before anything is looked up. */
const nonsense: Change = ["EngineFailure 400"]
const isNonsense = (command: Command) => command.does === "kill" && command.signal === "NONSENSE"

export const step = (model: Model, command: Command): Step => {
  const it = model[command.slot]
  const [outcome, next] = isNonsense(command) ? nonsense : it === undefined ? onNothing(command) : change(it, command)
  if (next === undefined) return { model, outcome }
  const { [command.slot]: _replaced, ...rest } = model
  return { model: next === "gone" ? rest : { ...rest, [command.slot]: next }, outcome }
}

const words = (command: Command) => Object.values(command).join(" ")

/** One line of a trace: what was asked, what was answered, what is seen afterwards. */
export const line = (command: Command, outcome: string, seen: string) => `${words(command)}: ${outcome}; ${seen}`

export const seenOf = (it: Modelled | undefined) =>
  it === undefined ? "nothing" : `${it.status} ${it.exitCode ?? "-"}`
