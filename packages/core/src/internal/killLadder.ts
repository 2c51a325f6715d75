/**
 * Reaches the processes of one exec, which no engine can signal, by a ladder: the host's /proc, an exec of `kill` inside,
 * the whole container. Resolves to the rung that worked. Refuses to climb to the container for any signal but KILL, and to
 * call dead what the engine says runs.
 */
import type { Engine, ExecState } from "@sbx/engine/Engine"
import type { CallError, EngineConflict, ObjectNotFound } from "@sbx/engine/EngineError"
import { EngineConflict as Conflict } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { KillRung } from "../Sandbox.ts"
import * as HostProcess from "./hostProcess.ts"

/** Name of the environment variable that marks every process of an exec. */
export const markerName = "SBX_EXEC"

export interface KillTarget {
  readonly containerId: string
  /** Unguessable value of the marker. */
  readonly marker: string
  /** The engine's id of the exec. */
  readonly execId: string
  /** User of the exec; the killing exec runs as the same. */
  readonly user: string | undefined
}

export type KillError = CallError | ObjectNotFound | EngineConflict

/** Ways to reach a process; tests take the first ones away to see the later ones work. */
export type Rung = "host-pid" | "kill-exec" | "container"
const allRungs: ReadonlyArray<Rung> = ["host-pid", "kill-exec", "container"]

/** `TERM` and `SIGTERM` alike. */
const bare = (signal: string) => signal.toUpperCase().replace(/^SIG/, "")

/**
 * KILL is awaited: unless this resolves to `pending-paused`, the exec's own process has ended, and so has every other that the
 * rung could find (see `findKin`; the exec of `kill` finds by the marker only). `already-dead`: nothing was found, and the
 * engine says that the exec has ended.
 */
export const kill = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  target: KillTarget,
  signal: string,
  rungs: ReadonlyArray<Rung> = allRungs
): Effect.fn.Return<KillRung, KillError> {
  const name = bare(signal)
  const { state } = yield* engine.inspectContainer(target.containerId)
  if (!state.running) return "already-dead"
  const exec = yield* awaitProcess(engine, target.execId, state.paused)
  const namespace =
    state.hostPid === undefined || !rungs.includes("host-pid")
      ? undefined
      : HostProcess.containerNamespace(target.containerId, state.hostPid)
  if (namespace !== undefined) {
    const leader = yield* leaderOf(engine, target, namespace, exec)
    const outcome = yield* byHostPid(engine, target, name, { namespace, leader, paused: state.paused })
    if (outcome !== "survived") return outcome
  }
  // Frozen processes can be signalled from the host only; an exec is refused until the thaw.
  if (state.paused) return yield* unreachable(target, name)
  if (rungs.includes("kill-exec")) {
    const outcome = yield* byExec(engine, target, name)
    if (outcome !== "survived") return outcome
  }
  if (name !== "KILL" || !rungs.includes("container")) return yield* unreachable(target, name)
  yield* engine.killContainer(target.containerId, "KILL")
  return "container"
})

/** What the engine says of the exec; nothing when it has forgotten it, so that it has ended (its children may live). */
const look = (engine: Engine["Service"], execId: string) =>
  engine.inspectExec(execId).pipe(Effect.catchTag("ObjectNotFound", () => Effect.undefined))

const hasEnded = (exec: ExecState | undefined) => exec === undefined || (!exec.running && exec.exitCode !== undefined)

/** The engine answers before the runtime has made the process: what is not there yet cannot be found. */
const awaitProcess = (engine: Engine["Service"], execId: string, paused: boolean) =>
  look(engine, execId).pipe(
    Effect.repeat({
      schedule: Schedule.spaced("10 millis"),
      until: (exec) => paused || hasEnded(exec) || exec?.hostPid !== undefined
    }),
    Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => look(engine, execId) })
  )

/** Engines record an exit up to 2 s after it (moby waits so long for the output's end). */
const isOver = (engine: Engine["Service"], execId: string) =>
  look(engine, execId).pipe(
    Effect.map(hasEnded),
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (ended) => ended }),
    Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.succeed(false) })
  )

/**
 * The exec's own process, whatever its environment says. Pids are reused: it is this one only if the engine says that the exec
 * runs *after* the pid's start time was read.
 */
const leaderOf = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  { execId }: KillTarget,
  namespace: string,
  exec: ExecState | undefined
) {
  const pid = exec?.hostPid
  if (pid === undefined || hasEnded(exec)) return undefined
  const found = HostProcess.processIn(namespace, pid)
  return found === undefined || hasEnded(yield* look(engine, execId)) ? undefined : found
})

const unreachable = (target: Pick<KillTarget, "containerId">, name: string) =>
  new Conflict({
    operation: `signal ${name} to a process of`,
    id: target.containerId,
    reason: "other",
    detail: "its processes can be reached neither through this host's /proc nor by an exec of kill"
  })

type Outcome = KillRung | "survived"

interface Place {
  readonly namespace: string
  readonly leader: HostProcess.HostProcess | undefined
  readonly paused: boolean
}

const byHostPid = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  target: KillTarget,
  name: string,
  { namespace, leader, paused }: Place
): Effect.fn.Return<Outcome, CallError> {
  // Once found, a process stays found: its parent's death must not hide it.
  const known = new Map(leader === undefined ? [] : [[leader.pid, leader]])
  const variable = variableOf(target)
  const send = (signal: string) => {
    const found = HostProcess.findKin({ namespace, variable, seeds: [...known.values()] })
    for (const process of found) {
      known.set(process.pid, process)
      HostProcess.signal(process, signal)
    }
    return found.length
  }
  // Stop first, so that a fork in flight cannot slip between finding and killing.
  if (name === "KILL") yield* Effect.sync(() => send("SIGSTOP"))
  const count = yield* Effect.sync(() => send(`SIG${name}`))
  if (count === 0 && paused) return hasEnded(yield* look(engine, target.execId)) ? "already-dead" : "survived"
  if (count === 0 && known.size === 0) return (yield* isOver(engine, target.execId)) ? "already-dead" : "survived"
  if (paused) return "pending-paused"
  if (name !== "KILL") return "host-pid"
  const left = yield* Effect.sync(() => send("SIGKILL")).pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (rest) => rest === 0 }),
    Effect.timeoutOption("5 seconds")
  )
  return left._tag === "Some" && (yield* isOver(engine, target.execId)) ? "host-pid" : "survived"
})

/**
 * Exits 0 when no process carries the marker, 3 after having signalled some, 4 when it cannot tell. Needs sh, grep and kill inside.
 * The marker is a regular expression of literals only: busybox's `grep -F` stops at the first NUL, so it reads one variable.
 */
const killScript = `echo ok | grep -qs ok && command -v kill >/dev/null || exit 4
found=
for p in /proc/[0-9]*; do
  if grep -qs "$1" "$p/environ"; then found=1; kill -s "$2" "\${p#/proc/}" 2>/dev/null; fi
done
[ -z "$found" ] || exit 3`

const variableOf = ({ marker }: KillTarget) => `${markerName}=${marker}`

const runKillScript = (
  engine: Engine["Service"],
  target: Pick<KillTarget, "containerId" | "user">,
  variable: string,
  name: string
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* engine.exec(target.containerId, {
        argv: ["sh", "-c", killScript, "sbx-kill", variable, name],
        ...(target.user === undefined ? {} : { user: target.user })
      })
      yield* Stream.runDrain(connection.output)
      return yield* engine.inspectExec(connection.execId).pipe(
        Effect.repeat({
          schedule: Schedule.spaced("20 millis"),
          until: (state) => !state.running && state.exitCode !== undefined
        }),
        Effect.map((state) => state.exitCode)
      )
    })
  ).pipe(Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.undefined }))

const byExec = (engine: Engine["Service"], target: KillTarget, name: string): Effect.Effect<Outcome, KillError> =>
  Effect.gen(function* () {
    const first = yield* runKillScript(engine, target, variableOf(target), name)
    // The marker may have been stripped: that nothing carries it does not mean that nothing runs.
    if (first === 0) return (yield* isOver(engine, target.execId)) ? "already-dead" : "survived"
    if (first !== 3) return "survived"
    if (name !== "KILL") return "kill-exec"
    const last = yield* runKillScript(engine, target, variableOf(target), name).pipe(
      Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (code) => code !== 3 }),
      Effect.timeoutOption("5 seconds")
    )
    const isGone = last._tag === "Some" && last.value === 0 && (yield* isOver(engine, target.execId))
    return isGone ? ("kill-exec" as const) : ("survived" as const)
    // No shell inside, a full pids limit: the next rung decides.
  }).pipe(Effect.catchTag("InvalidRequest", () => Effect.succeed("survived" as const)))

/** Part of an exec: the processes that carry a variable of their own. */
export interface MarkedTarget {
  readonly containerId: string
  readonly user: string
  /** `NAME=value`. */
  readonly variable: string
  /** Whether they have kernel sessions to themselves, so that whatever shares one belongs to them. */
  readonly ownSessions: boolean
}

/** One round of KILL at what is there now; whoever calls knows when it is over, and repeats until then. */
export const killMarked = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  { containerId, user, variable, ownSessions }: MarkedTarget
): Effect.fn.Return<KillRung, KillError> {
  const { state } = yield* engine.inspectContainer(containerId)
  if (!state.running) return "already-dead"
  const namespace = state.hostPid === undefined ? undefined : HostProcess.containerNamespace(containerId, state.hostPid)
  if (namespace !== undefined) {
    const send = (signal: string) => {
      const found = HostProcess.findKin({ namespace, variable, seeds: [], sessions: ownSessions })
      for (const process of found) HostProcess.signal(process, signal)
      return found.length
    }
    yield* Effect.sync(() => send("SIGSTOP"))
    yield* Effect.sync(() => send("SIGKILL"))
    return state.paused ? "pending-paused" : "host-pid"
  }
  if (state.paused) return yield* unreachable({ containerId }, "KILL")
  const code = yield* runKillScript(engine, { containerId, user }, variable, "KILL").pipe(
    Effect.catchTag("InvalidRequest", () => Effect.undefined)
  )
  if (code === 0 || code === 3) return "kill-exec"
  return yield* unreachable({ containerId }, "KILL")
})
