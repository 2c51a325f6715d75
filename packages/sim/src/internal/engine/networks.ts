/** Networks: bridges with a unique name. Only running containers hold one in use. */
import type { NetworkSummary } from "@sbx/engine/Engine"
import { ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import { publish } from "./eventLog.ts"
import { attachAll } from "./exits.ts"
import { conflict, container, findNetwork, isRunning } from "./lookup.ts"
import type { Job, Network, World } from "./world.ts"
import { makeId } from "./world.ts"

export const summary = (network: Network): NetworkSummary => ({
  id: network.id,
  name: network.name,
  driver: network.driver,
  internal: network.internal,
  labels: network.labels
})

const tell = (world: World, network: Network, action: string, attributes: Readonly<Record<string, string>> = {}) =>
  publish(world, {
    type: "network",
    action,
    actorId: network.id,
    attributes: { name: network.name, type: network.driver, ...attributes }
  })

/** The three that every engine has. */
export const addBuiltIn = (world: World) => {
  for (const [driver, name] of [
    ["bridge", "bridge"],
    ["host", "host"],
    ["null", "none"]
  ] as const) {
    const id = makeId(world, "network")
    const subnet = world.networks.size
    world.networks.set(id, { id, name, driver, internal: false, labels: {}, subnet, nextHost: 0, builtIn: true })
  }
}

interface CreateOptions {
  readonly name: string
  readonly internal: boolean
  readonly labels: Readonly<Record<string, string>>
}

export const create = Effect.fnUntraced(function* (world: World, job: Job, options: CreateOptions) {
  yield* job.work
  if ([...world.networks.values()].some(({ name }) => name === options.name)) {
    const detail = `network with name ${options.name} already exists`
    return yield* conflict(job.operation, options.name, "name-in-use", detail)
  }
  const { name, internal, labels } = options
  const id = makeId(world, "network")
  const subnet = world.networks.size % 250
  const network: Network = { id, name, driver: "bridge", internal, labels, subnet, nextHost: 0, builtIn: false }
  world.networks.set(id, network)
  tell(world, network, "create")
  return id
})

export const remove = Effect.fnUntraced(function* (world: World, job: Job, id: string) {
  yield* job.work
  const network = findNetwork(world, id)
  if (network === undefined) return
  const { operation } = job
  if (network.builtIn) {
    return yield* conflict(operation, id, "other", `${network.name} is a pre-defined network and cannot be removed`)
  }
  const busy = [...world.containers.values()].some(
    (one) => isRunning(one) && [...one.networks.values()].some(({ networkId }) => networkId === network.id)
  )
  if (busy) return yield* conflict(operation, id, "in-use", `network ${network.name} has active endpoints`)
  world.networks.delete(network.id)
  tell(world, network, "destroy")
})

const both = (world: World, operation: string, networkId: string, containerId: string) =>
  Effect.gen(function* () {
    const network = findNetwork(world, networkId)
    if (network === undefined) return yield* new ObjectNotFound({ operation, kind: "network", id: networkId })
    return { network, found: yield* container(world, operation, containerId) }
  })

export const attach = (
  world: World,
  job: Job,
  networkId: string,
  containerId: string,
  aliases: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const { network, found } = yield* both(world, job.operation, networkId, containerId)
    yield* job.work
    if (found.networks.has(network.name)) {
      const detail = `endpoint with name ${found.spec.name} already exists in network ${network.name}`
      return yield* conflict(job.operation, containerId, "name-in-use", detail)
    }
    if (found.networks.has("none") || found.networks.has("host")) {
      const detail =
        "container cannot be connected to multiple networks with one of the networks in private (none) mode"
      return yield* conflict(job.operation, containerId, "other", detail)
    }
    found.networks.set(network.name, { aliases, networkId: network.id, ipAddress: "" })
    if (isRunning(found)) attachAll(world, found)
  })

export const detach = (world: World, job: Job, networkId: string, containerId: string) =>
  Effect.gen(function* () {
    const { network, found } = yield* both(world, job.operation, networkId, containerId)
    yield* job.work
    if (!found.networks.delete(network.name)) {
      const detail = `container ${containerId} is not connected to network ${network.name}`
      return yield* conflict(job.operation, containerId, "other", detail)
    }
    tell(world, network, "disconnect", { container: found.id })
  })
