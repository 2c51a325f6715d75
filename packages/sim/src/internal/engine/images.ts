/** Images: put there by the options or imported from a tar. Nothing is pulled. */
import type { ImageInfo } from "@sbx/engine/Engine"
import { EngineFailure, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import { publish } from "./eventLog.ts"
import { emptyTree, ensureFolders, normal, parentOf } from "./fileTree.ts"
import { conflict } from "./lookup.ts"
import * as Tar from "./tar.ts"
import type { Image, Job, World } from "./world.ts"
import { makeId } from "./world.ts"

const withTag = (reference: string) =>
  reference.includes(":", reference.lastIndexOf("/") + 1) ? reference : `${reference}:latest`

export const findImage = (world: World, reference: string): Image | undefined => {
  const tagged = withTag(reference)
  for (const image of world.images.values()) {
    if (image.id === reference || image.id === `sha256:${reference}` || image.references.has(tagged)) return image
  }
  return undefined
}

export const toInfo = (image: Image): ImageInfo => ({
  id: image.id,
  references: [...image.references],
  labels: image.labels,
  sizeBytes: image.sizeBytes
})

export const inspect = (world: World, job: Job, reference: string) =>
  Effect.suspend(() => {
    const found = findImage(world, reference)
    return found === undefined
      ? Effect.fail(new ObjectNotFound({ operation: job.operation, kind: "image", id: reference }))
      : Effect.succeed(toInfo(found))
  })

const tell = (world: World, image: Image, action: string, name: string) =>
  publish(world, { type: "image", action, actorId: image.id, attributes: { ...image.labels, name } })

export const add = (world: World, reference: string, more: Partial<Omit<Image, "id" | "references">> = {}): Image => {
  const tagged = withTag(reference)
  for (const image of world.images.values()) image.references.delete(tagged)
  const image: Image = {
    id: `sha256:${makeId(world, "image")}`,
    references: new Set([tagged]),
    labels: {},
    entrypoint: [],
    command: [],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    workingDir: "/",
    user: "",
    tree: emptyTree(),
    sizeBytes: 1,
    ...more
  }
  world.images.set(image.id, image)
  return image
}

/** `["a"]` as JSON, or words for the shell. */
const words = (text: string): ReadonlyArray<string> =>
  text.startsWith("[")
    ? [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) => word.replaceAll(/\\(.)/g, "$1"))
    : ["/bin/sh", "-c", text]

type Config = Partial<Omit<Image, "id" | "references">> & { labels: Record<string, string>; env: Array<string> }

const instructions: Readonly<Record<string, (config: Config, rest: string) => Partial<Config>>> = {
  CMD: (_, rest) => ({ command: words(rest) }),
  ENTRYPOINT: (_, rest) => ({ entrypoint: words(rest) }),
  ENV: (config, rest) => ({ env: [...config.env, rest] }),
  LABEL: (config, rest) => {
    const at = rest.indexOf("=")
    return { labels: { ...config.labels, [rest.slice(0, at)]: rest.slice(at + 1).replaceAll('"', "") } }
  },
  USER: (_, rest) => ({ user: rest }),
  WORKDIR: (_, rest) => ({ workingDir: rest }),
  // Kept by engines, of no consequence here.
  EXPOSE: () => ({}),
  ONBUILD: () => ({}),
  VOLUME: () => ({})
}

const configure = (changes: ReadonlyArray<string>): Config | string => {
  let config: Config = { labels: {}, env: [] }
  for (const change of changes) {
    const [verb = "", ...rest] = change.split(" ")
    const apply = instructions[verb.toUpperCase()]
    if (apply === undefined) return verb
    config = { ...config, ...apply(config, rest.join(" ")) }
  }
  return config
}

export const importImage = (
  world: World,
  job: Job,
  archive: Uint8Array,
  options: { readonly reference: string; readonly changes: ReadonlyArray<string> }
) =>
  Effect.gen(function* () {
    const { operation } = job
    const config = configure(options.changes)
    if (typeof config === "string") {
      const detail = `simulated: ${config} is not a valid change command`
      return yield* new InvalidRequest({ operation, reason: "bad-parameter", detail })
    }
    const entries = Tar.read(archive)
    if (entries === undefined) {
      return yield* new EngineFailure({ operation, status: 500, detail: "simulated: invalid tar header" })
    }
    yield* job.work
    const tree = emptyTree()
    for (const { name, node } of entries) {
      ensureFolders(tree, parentOf(normal(name)))
      tree.set(normal(name), node)
    }
    const image = add(world, options.reference, { ...config, tree, sizeBytes: archive.length })
    tell(world, image, "import", options.reference)
    return image.id
  })

export const remove = (world: World, job: Job, reference: string) =>
  Effect.gen(function* () {
    yield* job.work
    const image = findImage(world, reference)
    if (image === undefined) return
    const byTag = image.references.has(withTag(reference))
    if (byTag && image.references.size > 1) {
      image.references.delete(withTag(reference))
      return tell(world, image, "untag", reference)
    }
    const user = [...world.containers.values()].find((container) => container.image === image)
    if (user !== undefined) {
      const detail = `conflict: unable to remove repository reference, container ${user.id} is using it`
      return yield* conflict(job.operation, reference, "in-use", detail)
    }
    world.images.delete(image.id)
    tell(world, image, "delete", reference)
  })
