/**
 * Making a container. The name is taken first and the container is visible last: a removal in between finds nothing (moby#24858), a
 * second create finds the name in use.
 */
import type { ContainerSpec, HostSettings, Mount } from "@sbx/engine/ContainerSpec"
import { InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { publishContainer } from "./eventLog.ts"
import { Feed } from "./feed.ts"
import { emptyTree, ensureFolders, normal } from "./fileTree.ts"
import { findImage } from "./images.ts"
import { conflict, findContainer } from "./lookup.ts"
import { userOf } from "./processes.ts"
import { mountsOf } from "./views.ts"
import { ensureVolume } from "./volumes.ts"
import type { Attached, Container, Image, Job, Volume, World } from "./world.ts"
import { makeId, tick, toMillis } from "./world.ts"

const leastMemoryBytes = 6 * 1024 * 1024

const fault = (spec: ContainerSpec, image: Image): string | undefined => {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(spec.name)) return `Invalid container name (${spec.name})`
  const memory = spec.host?.memoryBytes
  if (memory !== undefined && memory < leastMemoryBytes) return "Minimum memory limit allowed is 6MB"
  const command = [...(spec.entrypoint ?? image.entrypoint), ...(spec.command ?? image.command)]
  return command.length === 0 ? "No command specified" : undefined
}

/** What engines fill in and report. */
const applied = (host: HostSettings): HostSettings => ({
  privileged: false,
  readOnlyRoot: false,
  networkMode: "default",
  ipcMode: "private",
  cgroupnsMode: "private",
  shmSizeBytes: 64 * 1024 * 1024,
  restartPolicy: { name: "no" },
  autoRemove: false,
  logConfig: { type: "json-file", config: {} },
  runtime: "runc",
  ...(host.memoryBytes === undefined ? {} : { memorySwapBytes: 2 * host.memoryBytes }),
  ...host
})

const networksOf = (spec: ContainerSpec): ReadonlyArray<readonly [string, Attached]> => {
  const mode = spec.host?.networkMode ?? "default"
  if (mode.startsWith("container:")) return []
  const name = mode === "default" ? "bridge" : mode
  return [[name, { aliases: [...(spec.networkAliases ?? [])], networkId: "", ipAddress: "" }]]
}

const asAsked = (create: (Mount & { kind: "volume" })["create"]): Partial<Volume> =>
  create === undefined ? {} : { labels: create.labels, options: create.driverOptions }

const build = (world: World, id: string, spec: ContainerSpec, image: Image): Container => {
  const user = userOf(spec.user ?? image.user) ?? { uid: 0, gid: 0 }
  const made: Container = {
    id,
    spec,
    image,
    user,
    createdAtMillis: toMillis(tick(world)),
    tree: new Map(image.tree),
    anonymousVolumes: [],
    lock: Semaphore.makeUnsafe(1),
    logs: new Feed(),
    networks: new Map(networksOf(spec)),
    execIds: new Set(),
    processes: new Map(),
    changed: new Feed(),
    host: applied(spec.host ?? {}),
    status: "created",
    paused: false,
    removing: false,
    restarting: false,
    main: undefined,
    exitCode: 0,
    oomKilled: false,
    error: "",
    startedNanos: undefined,
    finishedNanos: undefined,
    restartCount: 0,
    stoppedByUser: false,
    tmpfs: new Map(),
    body: undefined
  }
  const mounts = mountsOf(made)
  for (const mount of mounts) ensureFolders(made.tree, normal(mount.target))
  for (const path of Object.keys(made.host.tmpfs ?? {})) ensureFolders(made.tree, normal(path))
  const anonymousVolumes = mounts.map((mount) =>
    mount.kind === "volume"
      ? mount.source === ""
        ? makeId(world, "volume")
        : (ensureVolume(world, mount.source, asAsked(mount.create)), "")
      : ""
  )
  for (const name of anonymousVolumes) {
    if (name !== "") world.volumes.set(name, { name, labels: {}, options: {}, anonymous: true, tree: emptyTree() })
  }
  return { ...made, anonymousVolumes }
}

export const create = (world: World, job: Job, spec: ContainerSpec) =>
  Effect.gen(function* () {
    const { operation } = job
    const image = findImage(world, spec.image)
    if (image === undefined) return yield* new ObjectNotFound({ operation, kind: "image", id: spec.image })
    const wrong = fault(spec, image)
    if (wrong !== undefined) return yield* new InvalidRequest({ operation, reason: "bad-parameter", detail: wrong })
    const holder = world.names.get(spec.name)
    if (holder !== undefined || findContainer(world, spec.name)?.spec.name === spec.name) {
      return yield* conflict(
        operation,
        spec.name,
        "name-in-use",
        `the container name "/${spec.name}" is already in use by container "${holder}"`
      )
    }
    const id = makeId(world, "container")
    world.names.set(spec.name, id)
    yield* job.work
    const made = build(world, id, spec, image)
    world.containers.set(id, made)
    publishContainer(world, made, "create")
    return id
  })
