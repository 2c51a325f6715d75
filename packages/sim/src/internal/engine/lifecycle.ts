/** Changes of a container's state, with the statuses that engines answer: done already is success, the wrong state is a conflict. */
import { EngineConflict, EngineFailure, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { ContainerUpdate } from "@sbx/engine/ContainerSpec"
import * as Effect from "effect/Effect"
import { publishContainer } from "./eventLog.ts"
import { argvOf, attachAll, run } from "./exits.ts"
import { send, wake } from "./kills.ts"
import { conflict, container, isRunning, notRunning, withContainer } from "./lookup.ts"
import { end, lookUp, signalName, userOf } from "./processes.ts"
import { awaitDown } from "./removal.ts"
import type { Container, Job, World } from "./world.ts"

/** runc's words and code for what cannot be run (moby#45795). */
const cannotRun = (operation: string, word: string, why: "not-found" | "not-executable") =>
  new InvalidRequest({
    operation,
    reason: why === "not-found" ? "command-not-found" : "command-not-executable",
    detail: `simulated: OCI runtime create failed: exec: "${word}": ${
      why === "not-found" ? "executable file not found in $PATH" : "permission denied"
    }`
  })

const refuseStart = (world: World, operation: string, id: string, found: Container) => {
  if (found.removing || found.status === "dead") {
    return conflict(operation, id, "removal-in-progress", "container is marked for removal and cannot be started")
  }
  if (userOf(found.spec.user ?? found.image.user) === undefined) {
    const detail = `simulated: unable to find user ${found.spec.user}: no matching entries in passwd file`
    return new InvalidRequest({ operation, reason: "bad-parameter", detail })
  }
  const missing = attachAll(world, found)
  return missing === undefined ? undefined : new ObjectNotFound({ operation, kind: "network", id: missing })
}

export const start = (world: World, job: Job, id: string) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found): Effect.fn.Return<void, EngineConflict | InvalidRequest | ObjectNotFound> {
      const { operation } = job
      if (found.paused) {
        return yield* conflict(operation, id, "paused", "cannot start a paused container, try unpause instead")
      }
      if (isRunning(found)) return
      yield* job.work
      const refused = refuseStart(world, operation, id, found)
      if (refused !== undefined) return yield* refused
      const argv = argvOf(found)
      const body = lookUp(world, found, argv)
      if (body === "not-found" || body === "not-executable") {
        const error = cannotRun(operation, argv[0] ?? "", body)
        found.error = error.detail
        found.exitCode = body === "not-found" ? 127 : 126
        return yield* error
      }
      found.stoppedByUser = false
      run(world, found, body)
    })
  )

const awaitDownWithin = (found: Container, millis: number) =>
  Effect.timeoutOrElse(Effect.as(awaitDown(found), true), { duration: millis, orElse: () => Effect.succeed(false) })

const sendStop = (world: World, found: Container, name: string) => {
  if (!isRunning(found)) return
  found.stoppedByUser = true
  send(world, found, name)
}

/** The lock is held while a signal is sent, not while the engine waits for the end. */
export const stop = (world: World, job: Job, id: string, graceSeconds: number) =>
  Effect.flatMap(
    container(world, job.operation, id),
    Effect.fnUntraced(function* (found) {
      found.restarting = false
      if (!isRunning(found)) return
      yield* job.work
      const locked = (send: () => void) => found.lock.withPermits(1)(Effect.sync(send))
      const name = signalName(found.spec.stopSignal ?? "TERM") ?? "TERM"
      yield* locked(() => sendStop(world, found, name))
      if (!(yield* awaitDownWithin(found, Math.ceil(graceSeconds) * 1000))) {
        yield* locked(() => sendStop(world, found, "KILL"))
        yield* awaitDown(found)
      }
      publishContainer(world, found, "stop")
    })
  )

/** Answers when the signal is sent. It wakes one that is frozen, as moby does unless it is not the stop signal. */
const sendSignal = Effect.fnUntraced(function* (world: World, job: Job, id: string, found: Container, name: string) {
  if (!isRunning(found) || found.main === undefined) return yield* notRunning(job.operation, id)
  yield* job.work
  const stopSignal = found.spec.stopSignal
  const wakes = stopSignal === undefined || name === "KILL" || signalName(stopSignal) === name
  if (wakes) found.stoppedByUser = true
  send(world, found, name, wakes)
})

/** What is no signal is refused before anything is looked up. */
export const kill = (world: World, job: Job, id: string, text: string) =>
  Effect.suspend((): Effect.Effect<void, EngineConflict | EngineFailure | ObjectNotFound> => {
    const name = signalName(text)
    return name === undefined
      ? Effect.fail(new EngineFailure({ operation: job.operation, status: 400, detail: `Invalid signal: ${text}` }))
      : withContainer(world, job.operation, id, (found) => sendSignal(world, job, id, found, name))
  })

export const pause = (world: World, job: Job, id: string) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found) {
      if (!isRunning(found)) return yield* notRunning(job.operation, id)
      if (found.paused) return yield* conflict(job.operation, id, "already-paused", `container ${id} is already paused`)
      yield* job.work
      if (!isRunning(found)) return yield* notRunning(job.operation, id)
      found.paused = true
      publishContainer(world, found, "pause")
      found.changed.wake()
    })
  )

export const unpause = (world: World, job: Job, id: string) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found) {
      if (!found.paused) return yield* conflict(job.operation, id, "not-paused", `container ${id} is not paused`)
      yield* job.work
      wake(world, found)
    })
  )

export const update = (world: World, job: Job, id: string, change: ContainerUpdate) =>
  withContainer(
    world,
    job.operation,
    id,
    Effect.fnUntraced(function* (found) {
      const swap = change.memorySwapBytes ?? found.host.memorySwapBytes
      if (change.memoryBytes !== undefined && swap !== undefined && swap !== -1 && change.memoryBytes > swap) {
        const detail = "memory limit should be smaller than already set memoryswap limit"
        return yield* conflict(job.operation, id, "other", detail)
      }
      yield* job.work
      found.host = { ...found.host, ...change }
      publishContainer(world, found, "update")
    })
  )

/** One that could not be started answers with the reason, not with a code. */
export const wait = (world: World, job: Job, id: string) =>
  Effect.flatMap(
    container(world, job.operation, id),
    Effect.fnUntraced(function* (found) {
      yield* awaitDown(found)
      if (found.error !== "") {
        return yield* new EngineFailure({ operation: job.operation, status: 500, detail: found.error })
      }
      return { exitCode: found.exitCode }
    })
  )

/** The kernel's out-of-memory killer, or a program that fails: PID 1 ends without anybody's call. */
export const strike = (world: World, found: Container, exitCode: number, oom: boolean) => {
  const main = found.main
  if (main === undefined) return false
  if (oom) {
    found.oomKilled = true
    publishContainer(world, found, "oom")
  }
  end(found, main, exitCode)
  return true
}
