/**
 * Processes started inside a running container. No call ends one. The output may end before the exit code is recorded, and the record
 * goes with the container, with the engine, or ten minutes after the end.
 */
import type { ExecConnection, ExecSpec, ExecState, OutputFrame } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import { EngineProtocolError, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import { publishContainer } from "./eventLog.ts"
import { environmentOf } from "./exits.ts"
import type { Connection } from "./feed.ts"
import { Feed, follow } from "./feed.ts"
import { conflict, isRunning, notRunning, withContainer } from "./lookup.ts"
import { launch, lookUp, userOf } from "./processes.ts"
import type { Container, Exec, Job, Process, World } from "./world.ts"
import { connectionLost, makeId, pause, tick } from "./world.ts"

const forgottenAfterNanos = 600_000_000_000n

export const create = (world: World, job: Job, id: string, spec: ExecSpec) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found) {
      if (found.paused)
        return yield* conflict(job.operation, id, "paused", `container ${id} is paused, unpause it first`)
      if (!isRunning(found)) return yield* notRunning(job.operation, id)
      yield* job.work
      const exec: Exec = {
        id: makeId(world, "exec"),
        containerId: found.id,
        spec,
        output: new Feed(),
        running: false,
        hostPid: undefined,
        exitCode: undefined,
        finishedNanos: undefined
      }
      world.execs.set(exec.id, exec)
      found.execIds.add(exec.id)
      publishContainer(world, found, "exec_create", { execID: exec.id }, spec.argv.join(" "))
      return exec.id
    })
  )

const finish = (world: World, found: Container, exec: Exec, exitCode: number) => {
  exec.output.close()
  const record = () => {
    exec.running = false
    exec.exitCode = exitCode
    exec.finishedNanos = tick(world)
    found.execIds.delete(exec.id)
    publishContainer(world, found, "exec_die", { execID: exec.id, exitCode: String(exitCode) })
  }
  const late = world.faults.fires("late-exit-code", "inspect exec")
  if (late === undefined) record()
  else world.fork(Effect.andThen(pause(late.millis ?? 0), Effect.sync(record)))
}

const words = { "not-found": "executable file not found in $PATH", "not-executable": "permission denied" } as const

/** A command that cannot be run is told as output and an exit code: the connection is made by then (moby#45795). */
const cannotRun = (world: World, found: Container, exec: Exec, why: keyof typeof words) => {
  const text = `OCI runtime exec failed: exec failed: "${exec.spec.argv[0] ?? ""}": ${words[why]}: unknown\r\n`
  exec.output.push({ channel: "stdout", bytes: new TextEncoder().encode(text) })
  finish(world, found, exec, why === "not-found" ? 127 : 126)
}

export interface Started {
  readonly exec: Exec
  readonly process: Process | undefined
}

export const start = (world: World, job: Job, id: string, execId: string) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found) {
      const exec = world.execs.get(execId)
      if (exec === undefined) return yield* new ObjectNotFound({ operation: job.operation, kind: "exec", id: execId })
      if (found.paused)
        return yield* conflict(job.operation, id, "paused", `container ${id} is paused, unpause it first`)
      if (!isRunning(found)) return yield* notRunning(job.operation, id)
      const user = exec.spec.user === undefined ? found.user : userOf(exec.spec.user)
      if (user === undefined) {
        const detail = `simulated: unable to find user ${exec.spec.user}: no matching entries in passwd file`
        return yield* new InvalidRequest({ operation: job.operation, reason: "bad-parameter", detail })
      }
      yield* job.work
      if (!isRunning(found)) return yield* notRunning(job.operation, id)
      publishContainer(world, found, "exec_start", { execID: execId }, exec.spec.argv.join(" "))
      const started = run(world, found, exec, user)
      return { exec, process: started } satisfies Started
    })
  )

const run = (world: World, found: Container, exec: Exec, user: { readonly uid: number; readonly gid: number }) => {
  const body = lookUp(world, found, exec.spec.argv)
  if (body === "not-found" || body === "not-executable") {
    cannotRun(world, found, exec, body)
    return undefined
  }
  exec.running = true
  const process = launch(world, found, body, {
    argv: exec.spec.argv,
    env: { ...environmentOf(found), ...exec.spec.env },
    workingDir: exec.spec.workingDir ?? found.spec.workingDir ?? found.image.workingDir,
    user,
    first: false,
    parentPid: 0,
    stdin: exec.spec.stdin === true ? "attached" : "none",
    onFrame: (frame: OutputFrame) => exec.output.push(frame),
    onEnd: (exitCode) => finish(world, found, exec, exitCode)
  })
  exec.hostPid = process.hostPid
  return process
}

const noInput = new EngineProtocolError({
  operation: "write standard input",
  detail: "the exec was started without standard input"
})

/** The client's end of a started exec. */
export const connect = (world: World, connection: Connection, { exec, process }: Started): ExecConnection => {
  const feed = (use: (process: Process) => void): Effect.Effect<void, CallError> =>
    Effect.suspend((): Effect.Effect<void, CallError> => {
      if (exec.spec.stdin !== true) return Effect.fail(noInput)
      const open = !connection.cut && process !== undefined && !process.stdin.closed
      if (!open) return Effect.fail(connectionLost(world, "write standard input", "simulated: the process is gone"))
      use(process)
      return Effect.void
    })
  return {
    execId: exec.id,
    output: follow(exec.output, connection, () =>
      connectionLost(world, "read output of exec", "simulated: the connection was cut")
    ),
    writeStdin: (bytes) => feed((to) => to.stdin.push(Uint8Array.from(bytes))),
    // The end of the input is no error for a process that has gone.
    endStdin: exec.spec.stdin === true ? Effect.sync(() => process?.stdin.close()) : Effect.fail<CallError>(noInput)
  }
}

export const inspect = (world: World, job: Job, execId: string) =>
  Effect.suspend((): Effect.Effect<ExecState, ObjectNotFound> => {
    const exec = world.execs.get(execId)
    const ended = exec?.finishedNanos
    if (
      exec === undefined ||
      (ended !== undefined && world.clock.currentTimeNanosUnsafe() - ended > forgottenAfterNanos)
    ) {
      world.execs.delete(execId)
      return Effect.fail(new ObjectNotFound({ operation: job.operation, kind: "exec", id: execId }))
    }
    const { running, exitCode, hostPid, containerId } = exec
    return Effect.succeed({ running, exitCode, hostPid, containerId })
  })
