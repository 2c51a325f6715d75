/**
 * What one stream of facts has on the machine, by the engine's own lists and the workspaces' images. Looked at while it must be
 * there and when it must be gone: a look that finds nothing at both times has seen nothing.
 */
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import { Workspaces } from "@sbx/core/Workspace"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"

export interface Standing {
  readonly containers: ReadonlyArray<string>
  readonly volumes: ReadonlyArray<string>
  /** Volumes whose image or loop device is on this machine. */
  readonly images: ReadonlyArray<string>
}

/** Objects labelled with the stream, and the images of `volume`, which bear no label. */
export const look = Effect.fnUntraced(function* (stream: string, volume?: string) {
  const engine = yield* Engine
  const mine = { [SandboxLabels.keys.stream]: stream }
  const images = volume === undefined ? [] : yield* (yield* Workspaces).images
  return {
    containers: (yield* engine.listContainers(mine)).map(({ name }) => name),
    volumes: (yield* engine.listVolumes(mine)).map(({ name }) => name),
    images: images.filter((name) => name === volume)
  } satisfies Standing
})

/** How many there must be of each. */
export type Counts = { readonly [K in keyof Standing]: number }

export const nothing: Counts = { containers: 0, volumes: 0, images: 0 }

const kinds = ["containers", "volumes", "images"] as const

/** `1 containers, 1 volumes, 0 images: sbx-…`. */
const said = (counts: Counts): string => kinds.map((kind) => `${counts[kind]} ${kind}`).join(", ")

/** Whether exactly so many are there, with both sides in words. */
export const compare = (standing: Standing, expected: Counts) => {
  const names = kinds.flatMap((kind) => standing[kind])
  const counts = {
    containers: standing.containers.length,
    volumes: standing.volumes.length,
    images: standing.images.length
  }
  const actual = names.length === 0 ? said(counts) : `${said(counts)}: ${names.join(" ")}`
  return {
    holds: kinds.every((kind) => counts[kind] === expected[kind]),
    facts: { expected: said(expected), actual }
  }
}
