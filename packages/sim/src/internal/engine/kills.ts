/** The engine's signals to PID 1. One that is frozen is woken a moment later, and then acts on what it was sent, as moby does. */
import * as Effect from "effect/Effect"
import { publishContainer } from "./eventLog.ts"
import { signal, signalNumber, thaw } from "./processes.ts"
import type { Container, World } from "./world.ts"

export const wake = (world: World, found: Container) => {
  if (!found.paused) return
  publishContainer(world, found, "unpause")
  thaw(found)
}

export const send = (world: World, found: Container, name: string, wakes = true) => {
  if (found.main === undefined) return
  publishContainer(world, found, "kill", { signal: String(signalNumber(name)) })
  signal(found, found.main, name)
  if (!wakes || !found.paused) return
  world.fork(
    Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => wake(world, found))
    )
  )
}
