/** Volumes. Creating one that is there is success when nothing differs; one that a container names, running or not, is in use. */
import type { VolumeSummary } from "@sbx/engine/Engine"
import { InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import { publish } from "./eventLog.ts"
import { emptyTree } from "./fileTree.ts"
import { conflict } from "./lookup.ts"
import { mountsOf, volumeOf } from "./views.ts"
import type { Job, Volume, World } from "./world.ts"

/** What the local driver knows (moby: volume/local). */
const knownOptions = new Set(["type", "o", "device", "size"])

export const summary = (volume: Volume): VolumeSummary => ({
  name: volume.name,
  driver: "local",
  mountpoint: `/var/lib/docker/volumes/${volume.name}/_data`,
  labels: volume.labels,
  options: volume.options
})

export const ensureVolume = (world: World, name: string, more: Partial<Volume> = {}): Volume => {
  const found = world.volumes.get(name)
  if (found !== undefined) return found
  const made: Volume = { name, labels: {}, options: {}, anonymous: false, tree: emptyTree(), ...more }
  world.volumes.set(name, made)
  publish(world, { type: "volume", action: "create", actorId: name, attributes: { driver: "local" } })
  return made
}

const covers = (have: Readonly<Record<string, string>>, want: Readonly<Record<string, string>>) =>
  Object.entries(want).every(([key, value]) => have[key] === value)

interface CreateOptions {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly driverOptions?: Readonly<Record<string, string>>
}

export const create = Effect.fnUntraced(function* (world: World, job: Job, options: CreateOptions) {
  const { operation } = job
  const driverOptions = options.driverOptions ?? {}
  const unknown = Object.keys(driverOptions).find((key) => !knownOptions.has(key))
  if (unknown !== undefined) {
    const detail = `simulated: create ${options.name}: invalid option: "${unknown}"`
    return yield* new InvalidRequest({ operation, reason: "bad-parameter", detail })
  }
  yield* job.work
  const volume = ensureVolume(world, options.name, { labels: options.labels, options: driverOptions })
  if (!covers(volume.labels, options.labels) || !covers(volume.options, driverOptions)) {
    const detail = "a volume of that name exists with other labels or options"
    return yield* conflict(operation, options.name, "name-in-use", detail)
  }
  return summary(volume)
})

export const inspect = (world: World, job: Job, name: string) =>
  Effect.suspend(() => {
    const found = world.volumes.get(name)
    return found === undefined
      ? Effect.fail(new ObjectNotFound({ operation: job.operation, kind: "volume", id: name }))
      : Effect.succeed(summary(found))
  })

const usedBy = (world: World, name: string) =>
  [...world.containers.values()].find((container) =>
    mountsOf(container).some((mount, index) => mount.kind === "volume" && volumeOf(container, mount, index) === name)
  )

export const remove = Effect.fnUntraced(function* (world: World, job: Job, name: string) {
  yield* job.work
  if (!world.volumes.has(name)) return
  const user = usedBy(world, name)
  if (user !== undefined) return yield* conflict(job.operation, name, "in-use", `volume is in use - [${user.id}]`)
  world.volumes.delete(name)
  publish(world, { type: "volume", action: "destroy", actorId: name, attributes: { driver: "local" } })
})
