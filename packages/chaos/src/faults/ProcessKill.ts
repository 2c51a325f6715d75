/**
 * Kills a process of the target as a crash would: the signal comes from the host and not through the engine's API, which marks
 * the container as stopped by the user and suppresses its restart policy (moby#33306). Irreversible: recovery is the target's.
 * Refuses engines whose processes are not visible here, and every process outside the target's own pid namespace.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { EngineEvent, EngineShape } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { constants } from "node:os"
import type { Evidence, Measurement } from "../Evidence.ts"
import { compare } from "../Evidence.ts"
import { NotProven, ProcessNotFound, TargetGone, TargetNotRunning, Unsupported } from "../FaultError.ts"
import type { Control, FaultKind, FaultRun, FaultTools } from "../FaultKind.ts"
import type { ContainerProcess } from "../internal/hostProc.ts"
import { containerNamespace, isAlive, processesIn, signal } from "../internal/hostProc.ts"

/** Which processes: the container's PID 1, all of one name (command or program), or one by its pid inside the container. */
export const ProcessSelector = Schema.TaggedUnion({
  Init: {},
  Name: { name: Schema.NonEmptyString },
  Pid: { pid: Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(1))) }
})
export type ProcessSelector = typeof ProcessSelector.Type

export const KillSignal = Schema.Literals(["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGABRT", "SIGSEGV", "SIGHUP"])
export type KillSignal = typeof KillSignal.Type

export const ProcessKill = Schema.TaggedStruct("ProcessKill", { select: ProcessSelector, signal: KillSignal })
export type ProcessKill = typeof ProcessKill.Type

/** SIGKILL to PID 1 by default. A signal that PID 1 has no handler for does nothing to it (pid_namespaces(7)), except SIGKILL. */
export const processKill = (
  options: { readonly select?: ProcessSelector; readonly signal?: KillSignal } = {}
): ProcessKill => ({
  _tag: "ProcessKill",
  select: options.select ?? { _tag: "Init" },
  signal: options.signal ?? "SIGKILL"
})

export interface ProcessKillControl extends Control {
  readonly namespace: string
  readonly victims: ReadonlyArray<ContainerProcess>
  /** By the engine's clock, which is this machine's: where the events of the kill begin. */
  readonly sinceMillis: number
}

/** Pure: the processes that a selector means. */
export const choose = (
  select: ProcessSelector,
  processes: ReadonlyArray<ContainerProcess>
): ReadonlyArray<ContainerProcess> =>
  processes.filter((process) => {
    if (select._tag === "Init") return process.pid === 1
    if (select._tag === "Pid") return process.pid === select.pid
    return process.command === select.name || process.program === select.name
  })

/** For people: what was selected. */
export const describeSelector = (select: ProcessSelector): string => {
  if (select._tag === "Init") return "PID 1"
  return select._tag === "Pid" ? `pid ${select.pid}` : `processes named ${select.name}`
}

export const kind: FaultKind<ProcessKill, ProcessKillControl> = {
  tag: "ProcessKill",
  reversible: false,
  claim: "processes",
  preflight: (tools, run) => Effect.asVoid(reach(tools.engine, run.target, run.fault._tag)),
  snapshot: Effect.fnUntraced(function* (tools, { fault, target }) {
    const namespace = yield* reach(tools.engine, target, fault._tag)
    const sinceMillis = yield* Clock.currentTimeMillis
    const processes = processesIn(namespace)
    const victims = choose(fault.select, processes)
    if (victims.length === 0)
      return yield* new ProcessNotFound({
        name: target.name,
        selector: describeSelector(fault.select),
        seen: processes.map((process) => `${process.pid} ${process.command}`)
      })
    const measurements = [living(victims)]
    return { rung: "host-pid", measurements, namespace, victims, sinceMillis }
  }),
  undo: () => ({ steps: [] }),
  inject: (_tools, { fault, target }, { namespace, victims }) =>
    Effect.suspend(() => {
      // Children first: a parent that reaps or restarts them would change the picture.
      const sent = victims.toReversed().filter((victim) => signal(victim, namespace, fault.signal))
      return sent.length > 0
        ? Effect.void
        : Effect.fail(
            new ProcessNotFound({
              name: target.name,
              selector: describeSelector(fault.select),
              seen: ["all died before"]
            })
          )
    }),
  prove: Effect.fnUntraced(function* (tools, run, control) {
    const gone = yield* untilGone(tools, run, control)
    const init = control.victims.some((victim) => victim.pid === 1)
    return init ? [gone, yield* exitStatus(tools, run, control)] : [gone]
  }),
  confirm: () => Effect.void,
  revert: () => Effect.void,
  proveReverted: () => Effect.succeed([])
}

/** The target's pid namespace, checked to be its own and visible here. */
const reach = Effect.fnUntraced(function* (engine: EngineShape, { containerId, name }: ContainerTarget, fault: string) {
  const { id, state } = yield* engine
    .inspectContainer(containerId)
    .pipe(Effect.catchTag("ObjectNotFound", () => Effect.fail(new TargetGone({ containerId, name }))))
  if (state.status !== "running" && state.status !== "paused")
    return yield* new TargetNotRunning({ name, status: state.status })
  const namespace = containerNamespace(id, state.hostPid)
  if (namespace === undefined)
    return yield* new Unsupported({
      fault,
      missing: ["a local engine, whose /proc shows the target in a pid namespace of its own"]
    })
  return namespace
})

const living = (victims: ReadonlyArray<ContainerProcess>): Measurement => ({
  metric: "livingVictims",
  value: victims.filter(isAlive).length,
  samples: 1,
  source: "proc"
})

/** Process death is not an event that /proc tells: it is looked for this often. */
const pollMillis = 20

const untilGone = Effect.fnUntraced(function* (
  tools: FaultTools,
  { fault }: FaultRun<ProcessKill>,
  { measurements, victims }: ProcessKillControl
): Effect.fn.Return<Evidence, NotProven> {
  const [control] = measurements
  const started = yield* Clock.monotonicTimeNanos
  for (;;) {
    const now = living(victims)
    const evidence = compare(control ?? now, now, "at-most", 0)
    if (evidence.holds) return evidence
    if (Number((yield* Clock.monotonicTimeNanos) - started) / 1e6 > tools.timing.proofMillis)
      return yield* new NotProven({
        fault: fault._tag,
        phase: "inject",
        evidence: [evidence],
        detail: `${fault.signal} was sent and the process lives`
      })
    yield* Effect.sleep(pollMillis)
  }
})

/** PID 1 is dead by the kernel's word; the engine has to have seen it die, and of SIGKILL with that signal in its status. */
const exitStatus = Effect.fnUntraced(function* (
  tools: FaultTools,
  { fault, target }: FaultRun<ProcessKill>,
  { sinceMillis }: ProcessKillControl
) {
  const { id } = yield* tools.engine
    .inspectContainer(target.containerId)
    .pipe(Effect.catchTag("ObjectNotFound", () => Effect.fail(new TargetGone(target))))
  const died = (event: EngineEvent) => event.type === "container" && event.action === "die" && event.actorId === id
  const event = yield* tools.engine
    .events({ sinceMillis, labels: {} })
    .pipe(
      Stream.filter(died),
      Stream.runHead,
      Effect.timeoutOption(tools.timing.proofMillis),
      Effect.map(Option.flatten)
    )
  const exitCode = Option.getOrUndefined(event)?.attributes["exitCode"]
  // A handler may turn any other signal into an exit code of its own choice; that it died is then all that can be asked.
  const wanted = String(128 + constants.signals[fault.signal])
  const counts = exitCode !== undefined && (fault.signal !== "SIGKILL" || exitCode === wanted)
  const metric = fault.signal === "SIGKILL" ? `deathsWithExitCode${wanted}` : "deaths"
  // The control: the events asked for begin after the snapshot saw it alive.
  const control: Measurement = { metric, value: 0, samples: 1, source: "engine-events" }
  const evidence = compare(control, { ...control, value: counts ? 1 : 0 }, "at-least", 1)
  if (evidence.holds) return evidence
  const detail =
    exitCode === undefined ? "the engine reports no death of the container" : `its exit code is ${exitCode}`
  return yield* new NotProven({ fault: fault._tag, phase: "inject", evidence: [evidence], detail })
})
