/** Objects by id, name or a unique beginning of the id, and the errors for what is not there or not in the right state. */
import type { ConflictReason } from "@sbx/engine/EngineError"
import { EngineConflict, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import type { Container, Network, World } from "./world.ts"

const byPrefix = <A>(all: ReadonlyMap<string, A>, prefix: string): A | undefined => {
  const found = prefix === "" ? [] : [...all.keys()].filter((id) => id.startsWith(prefix))
  return found.length === 1 && found[0] !== undefined ? all.get(found[0]) : undefined
}

export const findContainer = (world: World, id: string): Container | undefined =>
  world.containers.get(id) ??
  world.containers.get(world.names.get(id.replace(/^\//, "")) ?? "") ??
  byPrefix(world.containers, id)

export const findNetwork = (world: World, id: string): Network | undefined =>
  world.networks.get(id) ?? [...world.networks.values()].find(({ name }) => name === id) ?? byPrefix(world.networks, id)

export const container = (world: World, operation: string, id: string) =>
  Effect.suspend(() => {
    const found = findContainer(world, id)
    return found === undefined
      ? Effect.fail(new ObjectNotFound({ operation, kind: "container", id }))
      : Effect.succeed(found)
  })

/**
 * With the container's lock. Whoever waited for it may find that the container has gone meanwhile.
 */
export const withContainer = <A, E>(
  world: World,
  operation: string,
  id: string,
  use: (found: Container) => Effect.Effect<A, E>
): Effect.Effect<A, E | ObjectNotFound> =>
  Effect.flatMap(container(world, operation, id), (found) =>
    found.lock.withPermits(1)(
      Effect.suspend(() =>
        world.containers.has(found.id)
          ? use(found)
          : Effect.fail<E | ObjectNotFound>(new ObjectNotFound({ operation, kind: "container", id }))
      )
    )
  )

export const conflict = (operation: string, id: string, reason: ConflictReason, detail: string) =>
  new EngineConflict({ operation, id, reason, detail: `simulated: ${detail}` })

export const isRunning = (found: Container) => found.status === "running"

export const notRunning = (operation: string, id: string) =>
  conflict(operation, id, "not-running", `container ${id} is not running`)
