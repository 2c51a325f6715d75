/**
 * The competitor's sandbox as a scoped resource: volume, container, and their removal outside of the measured time. Labelled as
 * ours with this process as owner, so that `sbx reap` finds what a killed benchmark left.
 */
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import * as Owner from "@sbx/core/Owner"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Raw from "../competitors/RawDocker.ts"
import * as RawVolume from "../competitors/rawVolume.ts"
import { BenchPlace } from "./place.ts"

/** Bytes and inodes of the volume, as in the sandbox's spec. */
export interface Disk {
  readonly bytes: number
  readonly inodes: number
}

export interface RawMaker {
  readonly docker: Raw.RawDocker
  readonly benchmark: string
  readonly body: Raw.Body
  readonly directory: string
  /** Image of an empty disk, to be copied. */
  readonly template: string
  readonly labels: Record<string, string>
}

/** What the competitor needs to make the like of the sandbox whose container is given. */
export const maker = Effect.fnUntraced(function* (benchmark: string, containerId: string, disk: Disk) {
  const { endpoint } = yield* Engine
  const journal = yield* Journal
  const { directory } = yield* BenchPlace
  const docker = Raw.connect(endpoint)
  const body = yield* Raw.attempt(benchmark, () => Raw.bodyOf(docker, containerId))
  const owner = Owner.toLabel(yield* Owner.current)
  const deadline = (yield* Clock.currentTimeMillis) + 10_000
  const labels = SandboxLabels.encode({
    journal: journal.id,
    journalPath: `${directory}/journal.sqlite`,
    run: "bench",
    stream: `sandbox/${benchmark}`,
    intent: 0,
    epoch: journal.epoch,
    deadline,
    owner,
    kind: "sandbox"
  })
  const template = `${directory}/${benchmark}.template`
  yield* Raw.attempt(benchmark, () => RawVolume.format({ template, owner: body.config.User ?? "0:0", ...disk }))
  return { docker, benchmark, body, directory, template, labels: { ...labels } } satisfies RawMaker
})

/** Volume, create, start; removed with the scope. Resolves once the engine says it started. */
export const make = Effect.fnUntraced(function* (maker: RawMaker, name: string) {
  const volume = yield* makeVolume(maker, name)
  return yield* makeOn(maker, name, volume.name)
})

/** The volume alone; removed with the scope. */
const makeVolume = Effect.fnUntraced(function* (maker: RawMaker, name: string) {
  const { docker, benchmark, directory, template, labels } = maker
  const created = Raw.attempt(benchmark, () =>
    RawVolume.create(docker, {
      name,
      image: `${directory}/${name}.img`,
      lock: `${directory}/loop.lock`,
      template,
      labels: { ...labels, [SandboxLabels.keys.kind]: "volume" }
    })
  )
  return yield* Effect.acquireRelease(created, (volume) =>
    Effect.orDie(Raw.attempt(benchmark, () => RawVolume.remove(docker, volume)))
  )
})

/** Create and start on a volume that exists; the container is removed with the scope. */
const makeOn = (maker: RawMaker, name: string, volume: string) => {
  const { docker, benchmark, body, labels } = maker
  return Effect.acquireRelease(
    Raw.attempt(benchmark, () => Raw.createAndStart(docker, body, { name, volume, labels })),
    (container) => Effect.orDie(Raw.attempt(benchmark, () => container.remove({ force: true, v: true })))
  )
}
