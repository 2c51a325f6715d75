/**
 * Reaches the processes of one exec, which no engine can signal, by a ladder: the host's /proc, an exec of `kill` inside,
 * the whole container. Resolves to the rung that worked. Refuses to climb to the container for any signal but KILL.
 */
import type { Engine } from "@sbx/engine/Engine"
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

/** KILL is awaited: nothing of the exec is alive when this resolves to another rung than `pending-paused`. */
export const kill = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  target: KillTarget,
  signal: string,
  rungs: ReadonlyArray<Rung> = allRungs
): Effect.fn.Return<KillRung, KillError> {
  const name = bare(signal)
  const { state } = yield* engine.inspectContainer(target.containerId)
  if (!state.running) return "already-dead"
  if (!state.paused) yield* awaitProcess(engine, target.execId)
  const namespace =
    state.hostPid === undefined || !rungs.includes("host-pid")
      ? undefined
      : HostProcess.containerNamespace(target.containerId, state.hostPid)
  if (namespace !== undefined) {
    const outcome = yield* byHostPid(namespace, target, name, state.paused)
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

/** The engine answers before the runtime has made the process: what is not there yet cannot be found. */
const awaitProcess = (engine: Engine["Service"], execId: string) =>
  engine.inspectExec(execId).pipe(
    Effect.repeat({
      schedule: Schedule.spaced("10 millis"),
      until: (state) => state.hostPid !== undefined || state.exitCode !== undefined
    }),
    Effect.timeoutOption("5 seconds"),
    // Forgotten execs have ended; their children may live.
    Effect.catchTag("ObjectNotFound", () => Effect.void)
  )

const unreachable = (target: KillTarget, name: string) =>
  new Conflict({
    operation: `signal ${name} to a process of`,
    id: target.containerId,
    reason: "other",
    detail: "its processes can be reached neither through this host's /proc nor by an exec of kill"
  })

type Outcome = KillRung | "survived"

const byHostPid = (namespace: string, target: KillTarget, name: string, paused: boolean): Effect.Effect<Outcome> => {
  const find = () => HostProcess.findMarked(namespace, `${markerName}=${target.marker}`)
  const send = (signal: string) => {
    const found = find()
    for (const process of found) HostProcess.signal(process, signal)
    return found.length
  }
  return Effect.gen(function* () {
    // Stop first, so that a fork in flight cannot slip between finding and killing.
    if (name === "KILL") yield* Effect.sync(() => send("SIGSTOP"))
    const count = yield* Effect.sync(() => send(`SIG${name}`))
    if (count === 0) return "already-dead"
    if (paused) return "pending-paused"
    if (name !== "KILL") return "host-pid"
    const left = yield* Effect.sync(() => send("SIGKILL")).pipe(
      Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (rest) => rest === 0 }),
      Effect.timeoutOption("5 seconds")
    )
    return left._tag === "Some" ? "host-pid" : "survived"
  })
}

/** Exits 0 when no process carries the marker, 3 after having signalled some. Needs sh, grep and kill inside. */
const killScript = `found=
for p in /proc/[0-9]*; do
  if grep -qsF "$1" "$p/environ"; then found=1; kill -s "$2" "\${p#/proc/}" 2>/dev/null; fi
done
[ -z "$found" ] || exit 3`

const runKillScript = (engine: Engine["Service"], target: KillTarget, name: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* engine.exec(target.containerId, {
        argv: ["sh", "-c", killScript, "sbx-kill", `${markerName}=${target.marker}`, name],
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
    const first = yield* runKillScript(engine, target, name)
    if (first === 0) return "already-dead"
    if (first !== 3) return "survived"
    if (name !== "KILL") return "kill-exec"
    const last = yield* runKillScript(engine, target, name).pipe(
      Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (code) => code !== 3 }),
      Effect.timeoutOption("5 seconds")
    )
    return last._tag === "Some" && last.value === 0 ? ("kill-exec" as const) : ("survived" as const)
    // No shell inside, a full pids limit: the next rung decides.
  }).pipe(Effect.catchTag("InvalidRequest", () => Effect.succeed("survived" as const)))
