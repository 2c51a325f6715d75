/**
 * The engine dies and comes back, as moby without live-restore: every call in flight and every stream is cut, what ran is exited,
 * execs and the replay buffer of events are forgotten, half-made containers never were, half-removed ones are dead.
 */
import * as Effect from "effect/Effect"
import { ended, run } from "./exits.ts"
import type { Container, World } from "./world.ts"
import { pause } from "./world.ts"

const revives = (container: Container) => {
  const policy = container.host.restartPolicy?.name
  return container.main !== undefined && (policy === "always" || policy === "unless-stopped")
}

/** Those that the engine starts again when it is back. */
const die = (world: World): ReadonlyArray<Container> => {
  world.down = true
  const revived = [...world.containers.values()].filter(revives)
  for (const { abort } of world.inFlight) abort()
  for (const connection of world.connections) connection.sever()
  for (const container of world.containers.values()) {
    const { main } = container
    container.restarting = false
    if (main !== undefined) {
      // Before the end of the process is told: there is nobody to act on it.
      main.exitCode = world.settings.restartExitCode
      main.fiber?.interruptUnsafe()
      container.processes.delete(main.hostPid)
      container.stoppedByUser = true
      ended(world, container, world.settings.restartExitCode, true)
    }
    container.execIds.clear()
  }
  world.execs.clear()
  for (const [name, id] of world.names) if (!world.containers.has(id)) world.names.delete(name)
  world.events.length = 0
  return revived
}

const comeBack = (world: World, revived: ReadonlyArray<Container>) => {
  world.down = false
  world.starts += 1
  for (const container of world.containers.values()) {
    if (container.removing) {
      container.removing = false
      container.status = "dead"
    }
  }
  for (const container of revived) {
    container.stoppedByUser = false
    if (container.status !== "dead" && container.body !== undefined) run(world, container, container.body)
  }
}

/** Resolves when the engine answers again. */
export const restart = (world: World, downMillis: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (world.down) return Effect.void
    const revived = die(world)
    return Effect.andThen(
      pause(downMillis),
      Effect.sync(() => comeBack(world, revived))
    )
  })
