/** Watches every removal that a process asks for: nobody may remove what a live process owns, or what bears no label of ours. */
import type { EngineShape } from "@sbx/engine/Engine"
import { Effect } from "effect"
import * as SandboxLabels from "../../src/SandboxLabels.ts"
import { type Identity, isAlive, type Machine, violate } from "./machine.ts"

type Labels = Readonly<Record<string, string>>

/** The engine as one process uses it, with its calls in the log, its removals judged and, in some seeds, its calls its last. */
export const guard = (machine: Machine, self: Identity, engine: EngineShape): EngineShape => ({
  ...engine,
  ...removals(machine, self, engine),
  ...creates(machine, self, engine),
  ...disturbances(machine, self, engine),
  startContainer: (id) => watched(self, `start container ${id}`, () => engine.startContainer(id)),
  unpauseContainer: (id) => watched(self, `unpause container ${id}`, () => engine.unpauseContainer(id))
})

const removals = (machine: Machine, self: Identity, engine: EngineShape) => {
  const { view } = machine.engine
  const remove = <E>(
    what: string,
    id: string,
    labels: Labels | undefined,
    call: (id: string) => Effect.Effect<void, E>
  ) =>
    watched(self, `remove ${what} ${id}`, () => {
      if (labels !== undefined) judge(machine, self, what, id, labels)
      return call(id)
    })
  const isIt = (id: string) => (one: { readonly id: string; readonly name: string }) => one.id === id || one.name === id
  return {
    removeContainer: (id) =>
      Effect.suspend(() => remove("container", id, view().containers.find(isIt(id))?.labels, engine.removeContainer)),
    removeVolume: (id) =>
      Effect.suspend(() => {
        const found = view().volumes.find(({ name }) => name === id)
        return remove("volume", id, found?.labels, engine.removeVolume)
      }),
    removeNetwork: (id) =>
      Effect.suspend(() => remove("network", id, view().networks.find(isIt(id))?.labels, engine.removeNetwork))
  } satisfies Partial<EngineShape>
}

const judge = (machine: Machine, self: Identity, what: string, name: string, labels: Labels) => {
  const owner = labels[SandboxLabels.keys.owner]
  // The engine makes a volume anew, without labels, for a container that it creates after the volume was removed.
  const isRemade = what === "volume" && machine.volumes.has(name)
  if (owner === undefined && isRemade) machine.faults.count("volume-remade")
  else if (owner === undefined) violate(machine, `${self.name} removes ${what} ${name}, which bears no label of ours`)
  else if (owner !== self.owner && isAlive(machine, owner)) {
    violate(machine, `${self.name} removes ${what} ${name}, whose owner is alive`)
  }
}

const creates = (machine: Machine, self: Identity, engine: EngineShape) => {
  const aimed = aim(machine, self, "kill-in-create")
  return {
    createContainer: (spec) =>
      Effect.andThen(
        aimed,
        watched(self, `create container ${spec.name}`, () => engine.createContainer(spec))
      ),
    createVolume: (spec) =>
      Effect.andThen(
        aimed,
        watched(self, `create volume ${spec.name}`, () => {
          machine.volumes.add(spec.name)
          return engine.createVolume(spec)
        })
      )
  } satisfies Partial<EngineShape>
}

const disturbances = (machine: Machine, self: Identity, engine: EngineShape) => {
  const aimed = <A, E>(what: string, call: () => Effect.Effect<A, E>) =>
    Effect.andThen(aim(machine, self, "kill-in-disturbance"), watched(self, what, call))
  return {
    killContainer: (id, signal) => aimed(`kill container ${id}`, () => engine.killContainer(id, signal)),
    pauseContainer: (id) => aimed(`pause container ${id}`, () => engine.pauseContainer(id)),
    updateContainer: (id, update) => aimed(`update container ${id}`, () => engine.updateContainer(id, update)),
    disconnectNetwork: (networkId, id) =>
      aimed(`disconnect container ${id}`, () => engine.disconnectNetwork(networkId, id))
  } satisfies Partial<EngineShape>
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
