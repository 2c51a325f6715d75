/** Watches every removal that a process asks for: nobody may remove what a live process owns, or what bears no label of ours. */
import type { EngineShape } from "@sbx/engine/Engine"
import { Effect } from "effect"
import * as SandboxLabels from "../../src/SandboxLabels.ts"
import { type Identity, isAlive, type Machine, violate } from "./machine.ts"

type Labels = Readonly<Record<string, string>>

export const guard = (machine: Machine, self: Identity, engine: EngineShape): EngineShape => {
  const check = (what: string, name: string, labels: Labels | undefined) => {
    if (labels === undefined) return
    const owner = labels[SandboxLabels.keys.owner]
    // The engine makes a volume anew, without labels, for a container that it creates after the volume was removed.
    const isRemade = what === "volume" && machine.volumes.has(name)
    if (owner === undefined && isRemade) machine.faults.count("volume-remade")
    else if (owner === undefined) violate(machine, `${self.name} removes ${what} ${name}, which bears no label of ours`)
    else if (owner !== self.owner && isAlive(machine, owner)) {
      violate(machine, `${self.name} removes ${what} ${name}, whose owner is alive`)
    }
  }
  const { containers, volumes, networks } = {
    containers: (id: string) => machine.engine.view().containers.find((one) => one.id === id || one.name === id),
    volumes: (name: string) => machine.engine.view().volumes.find((one) => one.name === name),
    networks: (id: string) => machine.engine.view().networks.find((one) => one.id === id || one.name === id)
  }
  return {
    ...engine,
    removeContainer: (id) =>
      watched(self, `remove container ${id}`, () => {
        check("container", id, containers(id)?.labels)
        return engine.removeContainer(id)
      }),
    removeVolume: (name) =>
      watched(self, `remove volume ${name}`, () => {
        check("volume", name, volumes(name)?.labels)
        return engine.removeVolume(name)
      }),
    removeNetwork: (id) =>
      watched(self, `remove network ${id}`, () => {
        check("network", id, networks(id)?.labels)
        return engine.removeNetwork(id)
      }),
    createContainer: (spec) =>
      Effect.andThen(
        aim(machine, self, "kill-in-create"),
        watched(self, `create container ${spec.name}`, () => engine.createContainer(spec))
      ),
    createVolume: (spec) =>
      Effect.andThen(
        aim(machine, self, "kill-in-create"),
        watched(self, `create volume ${spec.name}`, () => {
          machine.volumes.add(spec.name)
          return engine.createVolume(spec)
        })
      ),
    startContainer: (id) => watched(self, `start container ${id}`, () => engine.startContainer(id)),
    killContainer: (id, signal) =>
      Effect.andThen(
        aim(machine, self, "kill-in-disturbance"),
        watched(self, `kill container ${id}`, () => engine.killContainer(id, signal))
      ),
    pauseContainer: (id) =>
      Effect.andThen(
        aim(machine, self, "kill-in-disturbance"),
        watched(self, `pause container ${id}`, () => engine.pauseContainer(id))
      ),
    updateContainer: (id, update) =>
      Effect.andThen(
        aim(machine, self, "kill-in-disturbance"),
        watched(self, `update container ${id}`, () => engine.updateContainer(id, update))
      ),
    disconnectNetwork: (networkId, id) =>
      Effect.andThen(
        aim(machine, self, "kill-in-disturbance"),
        watched(self, `disconnect container ${id}`, () => engine.disconnectNetwork(networkId, id))
      ),
    unpauseContainer: (id) => watched(self, `unpause container ${id}`, () => engine.unpauseContainer(id))
  }
}

/** Says to the log what is asked and answered: a replay shows it. */
const watched = <A, E>(self: Identity, what: string, call: () => Effect.Effect<A, E>) =>
  Effect.logDebug(`${self.name} asks to ${what}`).pipe(
    Effect.andThen(Effect.suspend(call)),
    Effect.onExit((exit) => Effect.logDebug(`${self.name}: ${what}: ${exit._tag}`))
  )

/** A kill that meets the call under way, before it, or just after it. */
const aim = (machine: Machine, { process, isMortal }: Identity, kind: "kill-in-create" | "kill-in-disturbance") =>
  Effect.suspend(() => {
    if (!isMortal || process === undefined || !machine.faults.strikes(kind)) return Effect.void
    const delay = machine.chance.next() < 0.5 ? machine.chance.below(20) : machine.chance.below(2_000)
    return machine.world.fork(Effect.andThen(Effect.sleep(delay), process.kill))
  })
