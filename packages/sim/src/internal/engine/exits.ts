/** A container's main process: how it begins and what its end brings about. */
import type { OutputFrame } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import type { SimBody } from "../../SimProgram.ts"
import { publish, publishContainer } from "./eventLog.ts"
import { findNetwork } from "./lookup.ts"
import { end, launch } from "./processes.ts"
import { destroy } from "./removal.ts"
import { freshTmpfs } from "./views.ts"
import type { Container, World } from "./world.ts"
import { nowMillis, pause, tick } from "./world.ts"

export const argvOf = ({ spec, image }: Container): ReadonlyArray<string> => [
  ...(spec.entrypoint ?? image.entrypoint),
  // An entrypoint of one's own drops the image's command.
  ...(spec.command ?? (spec.entrypoint === undefined ? image.command : []))
]

export const environmentOf = ({ spec, image }: Container): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(image.env.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)])),
  ...spec.env
})

const detach = (world: World, container: Container) => {
  for (const [name, attached] of container.networks) {
    if (attached.ipAddress === "") continue
    attached.ipAddress = ""
    const attributes = { container: container.id, name, type: "bridge" }
    publish(world, { type: "network", action: "disconnect", actorId: attached.networkId, attributes })
  }
}

/** Addresses on every network that it is on; the name of one that is gone, if any. */
export const attachAll = (world: World, container: Container): string | undefined => {
  for (const [name, attached] of container.networks) {
    if (attached.ipAddress !== "") continue
    const network = findNetwork(world, name)
    if (network === undefined) return name
    attached.networkId = network.id
    if (network.driver !== "bridge") continue
    attached.ipAddress = `10.${network.subnet}.${Math.floor(network.nextHost / 250)}.${(network.nextHost % 250) + 2}`
    network.nextHost += 1
    const attributes = { container: container.id, name, type: "bridge" }
    publish(world, { type: "network", action: "connect", actorId: network.id, attributes })
  }
  return undefined
}

const mayRestart = (container: Container, exitCode: number) => {
  const policy = container.host.restartPolicy
  if (container.stoppedByUser || container.removing) return false
  if (policy?.name === "always" || policy?.name === "unless-stopped") return true
  const most = policy?.maximumRetryCount ?? Number.POSITIVE_INFINITY
  return policy?.name === "on-failure" && exitCode !== 0 && container.restartCount < most
}

const restartLater = (world: World, container: Container) =>
  pause(Math.min(60_000, 100 * 2 ** Math.min(container.restartCount, 10))).pipe(
    Effect.andThen(
      Effect.sync(() => {
        if (!container.restarting || container.removing || !world.containers.has(container.id)) return
        container.restartCount += 1
        if (container.body !== undefined) run(world, container, container.body)
      })
    )
  )

/** What the engine does when PID 1 has ended. */
export const ended = (world: World, container: Container, exitCode: number, quiet = false) => {
  container.main = undefined
  container.paused = false
  for (const process of container.processes.values()) end(container, process, 137)
  container.status = "exited"
  container.exitCode = exitCode
  container.finishedNanos = tick(world)
  container.tmpfs = new Map()
  if (!quiet) publishContainer(world, container, "die", { exitCode: String(exitCode) })
  detach(world, container)
  if (mayRestart(container, exitCode)) {
    container.restarting = true
    world.fork(restartLater(world, container))
  } else if (container.host.autoRemove === true && !container.removing) {
    world.fork(destroy(world, container))
  }
  container.changed.wake()
}

/** Runs PID 1. The caller holds the lock. */
export const run = (world: World, container: Container, body: SimBody) => {
  container.status = "running"
  container.restarting = false
  container.paused = false
  container.oomKilled = false
  container.error = ""
  container.startedNanos = tick(world)
  container.tmpfs = freshTmpfs(container)
  container.body = body
  publishContainer(world, container, "start")
  container.main = launch(world, container, body, {
    argv: argvOf(container),
    env: environmentOf(container),
    workingDir: container.spec.workingDir ?? container.image.workingDir,
    user: container.user,
    // Under an init of the engine's the program is its child, and signals have their usual effect.
    first: container.host.init !== true,
    parentPid: 1,
    stdin: container.spec.openStdin === true ? "attached" : "none",
    onFrame: (frame: OutputFrame) => container.logs.push({ ...frame, atMillis: nowMillis(world) }),
    onEnd: (exitCode) => ended(world, container, exitCode)
  })
  container.changed.wake()
}
