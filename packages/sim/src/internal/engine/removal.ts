/** How a container goes: its processes, then its anonymous volumes, itself, its name. */
import * as Effect from "effect/Effect"
import { publish, publishContainer } from "./eventLog.ts"
import { awaitChange } from "./feed.ts"
import { send } from "./kills.ts"
import { conflict, container, isRunning } from "./lookup.ts"
import type { Container, Job, World } from "./world.ts"

/** Until the container does not run. */
export const awaitDown = (found: Container): Effect.Effect<void> =>
  Effect.suspend(() =>
    isRunning(found)
      ? Effect.andThen(
          awaitChange(() => !isRunning(found), found.changed),
          awaitDown(found)
        )
      : Effect.void
  )

const forget = (world: World, found: Container) => {
  for (const name of found.anonymousVolumes) {
    if (name === "") continue
    world.volumes.delete(name)
    publish(world, { type: "volume", action: "destroy", actorId: name, attributes: { driver: "local" } })
  }
  for (const id of found.execIds) world.execs.delete(id)
  world.containers.delete(found.id)
  if (world.names.get(found.spec.name) === found.id) world.names.delete(found.spec.name)
  publishContainer(world, found, "destroy")
  found.changed.wake()
}

/** By force, whatever its state. `work` lies between the mark and the end, where others see it going. */
export const destroy = (world: World, found: Container, work: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function* () {
    found.removing = true
    found.changed.wake()
    found.restarting = false
    found.stoppedByUser = true
    send(world, found, "KILL")
    yield* awaitDown(found)
    yield* work
    yield* found.lock.withPermits(1)(Effect.sync(() => forget(world, found)))
  })

export const remove = (world: World, job: Job, id: string) =>
  Effect.flatMap(container(world, job.operation, id), (found) =>
    Effect.suspend(() =>
      found.removing
        ? Effect.fail(
            conflict(job.operation, id, "removal-in-progress", `removal of container ${id} is already in progress`)
          )
        : destroy(world, found, job.work)
    )
  )
