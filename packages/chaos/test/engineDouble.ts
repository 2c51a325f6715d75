/**
 * An engine in memory that keeps cpu accounts by the test's clock: containers that loop burn, and what is nested in a
 * container's cgroup counts for it too. It behaves unless a fault is declared.
 */
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import type { ContainerInspect, ContainerStats, ContainerStatus, EngineInfo } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { EngineFailure, EngineUnavailable, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** How the double misbehaves. `sidecars` are the containers that faults start on a target, not those of the preflight. */
export interface Misbehaviour {
  /** Sidecars start and use no cpu. */
  readonly burnsNothing?: boolean
  /** Nested containers do not count for the outer one. */
  readonly nestingIgnored?: boolean
  /** Sidecars cannot be removed: answers 500, does not answer, or answers and does nothing. */
  readonly removal?: "refused" | "hangs" | "pretended"
  /** The reply to the creation of a sidecar is lost after it took effect. */
  readonly createReplyLost?: boolean
  /** The target itself starts to burn when its sidecar starts, and goes on. */
  readonly targetWakes?: boolean
  readonly info?: Partial<EngineInfo>
}

interface Container {
  readonly id: string
  readonly spec: ContainerSpec
  /** What it burns while it runs. */
  cores: number
  status: ContainerStatus
  /** Account of its cgroup: its own use and that of all nested in it, kept when those are gone. */
  usedNanos: number
}

export interface Double {
  readonly containers: Map<string, Container>
  /** What was asked to be created, in order. */
  readonly created: Array<ContainerSpec>
  /** How often each call was made, by its name. */
  readonly calls: Map<string, number>
  /** Adds a running container with a cpu quota of half a core that does nothing. */
  readonly addTarget: (name: string, options?: { readonly cores?: number; readonly nanoCpus?: number }) => string
  readonly layer: Layer.Layer<Engine>
}

const info: EngineInfo = {
  id: "double",
  version: "20.10.24",
  apiVersion: "1.41",
  operatingSystem: "test",
  kernelVersion: "6",
  architecture: "x86_64",
  cpus: 2,
  memoryBytes: 1e9,
  storageDriver: "overlay2",
  backingFilesystem: undefined,
  dataRoot: "/nowhere",
  cgroupVersion: "1",
  cgroupDriver: "cgroupfs",
  defaultRuntime: "runc",
  runtimes: ["runc"],
  securityOptions: [],
  warnings: []
}

const notFound = (id: string) => new ObjectNotFound({ operation: "call", kind: "container", id })

const isSidecar = (spec: ContainerSpec) => (spec.labels?.["sbx.chaos.target"] ?? "probe") !== "probe"

export const makeDouble = (wrong: Misbehaviour = {}): Double => {
  const containers = new Map<string, Container>()
  const calls = new Map<string, number>()
  const created: Array<ContainerSpec> = []
  const counted = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      calls.set(name, (calls.get(name) ?? 0) + 1)
      return effect
    })
  let settledMillis = 0
  /** Brings all accounts up to now; to be called before anything changes or is read. */
  const settle = Effect.map(Clock.currentTimeMillis, (now) => {
    const millis = now - settledMillis
    settledMillis = now
    for (const one of containers.values()) if (one.status === "running") charge(containers, wrong, one, millis)
  })
  const find = (id: string) =>
    Effect.flatMap(settle, () => {
      const found = [...containers.values()].find((one) => one.id === id || one.spec.name === id)
      return found === undefined ? Effect.fail(notFound(id)) : Effect.succeed(found)
    })
  const addTarget: Double["addTarget"] = (name, options) => {
    const id = `id-${name}`
    const spec = { name, image: "any", host: { nanoCpus: options?.nanoCpus ?? 5e8 } }
    containers.set(id, { id, spec, cores: options?.cores ?? 0, status: "running", usedNanos: 1e9 })
    return id
  }
  const layer = Layer.mock(Engine)({
    endpoint: { kind: "explicit", address: "unix:///double" },
    info: Effect.succeed({ ...info, ...wrong.info }),
    inspectImage: (reference) =>
      reference === "missing"
        ? Effect.fail(new ObjectNotFound({ operation: "inspect", kind: "image", id: reference }))
        : Effect.succeed({ id: reference, references: [], labels: {}, sizeBytes: 0 }),
    createContainer: (spec) =>
      counted(
        "create",
        Effect.suspend(() => {
          created.push(spec)
          return create(containers, wrong, spec)
        })
      ),
    startContainer: (id) =>
      Effect.map(find(id), (found) => {
        found.status = "running"
        const outer = parentOf(containers, found)
        if (wrong.targetWakes === true && outer !== undefined && isSidecar(found.spec)) outer.cores = 0.4
      }),
    inspectContainer: (id) => Effect.map(find(id), inspected),
    listContainers: (labels) =>
      Effect.sync(() =>
        [...containers.values()].filter(matches(labels)).map(({ id, spec, status }) => ({
          id,
          name: spec.name,
          image: spec.image,
          labels: spec.labels ?? {},
          status,
          createdAtMillis: 0
        }))
      ),
    statsContainer: (id) =>
      Effect.flatMap(find(id), (found) => Effect.map(Clock.currentTimeMillis, (now) => statsOf(found, now))),
    removeContainer: (id) => counted("remove", Effect.andThen(settle, remove(containers, wrong, id)))
  })
  return { containers, created, calls, addTarget, layer }
}

const create = (containers: Map<string, Container>, wrong: Misbehaviour, spec: ContainerSpec) => {
  const id = `id-${spec.name}`
  const loops = spec.entrypoint?.at(-1)?.includes("while :") === true
  const burns = loops && !(wrong.burnsNothing === true && isSidecar(spec))
  const quota = spec.host?.nanoCpus === undefined ? 1 : spec.host.nanoCpus / 1e9
  containers.set(id, { id, spec, cores: burns ? quota : 0, status: "created", usedNanos: 1e6 })
  if (wrong.createReplyLost !== true || !isSidecar(spec)) return Effect.succeed(id)
  const facts = { operation: "create container", endpoint: "unix:///double", detail: "cut" }
  return Effect.fail(new EngineUnavailable({ ...facts, reason: "connection-lost" }))
}

const remove = (containers: Map<string, Container>, wrong: Misbehaviour, id: string) =>
  Effect.suspend(() => {
    const found = [...containers.values()].find((one) => one.id === id || one.spec.name === id)
    if (found === undefined) return Effect.void
    if (isSidecar(found.spec) && wrong.removal === "hangs") return Effect.never
    if (isSidecar(found.spec) && wrong.removal === "refused")
      return Effect.fail(new EngineFailure({ operation: "remove container", status: 500, detail: "device busy" }))
    if (!(isSidecar(found.spec) && wrong.removal === "pretended")) containers.delete(found.id)
    return Effect.void
  })

const matches =
  (labels: Readonly<Record<string, string>>) =>
  ({ spec }: Container) =>
    Object.entries(labels).every(([key, value]) => spec.labels?.[key] === value)

const parentOf = (containers: Map<string, Container>, { spec }: Container) =>
  [...containers.values()].find((one) => spec.host?.cgroupParent === `/docker/${one.id}`)

const charge = (containers: Map<string, Container>, wrong: Misbehaviour, one: Container, millis: number) => {
  const nanos = one.cores * millis * 1e6
  one.usedNanos += nanos
  const outer = wrong.nestingIgnored === true ? undefined : parentOf(containers, one)
  if (outer !== undefined) outer.usedNanos += nanos
}

const statsOf = ({ id, usedNanos }: Container, now: number): ContainerStats => ({
  containerId: id,
  readAtMillis: now,
  cpu: {
    usageNanos: usedNanos,
    systemNanos: undefined,
    onlineCpus: 2,
    throttledPeriods: undefined,
    throttledNanos: undefined
  },
  memory: undefined,
  pids: undefined,
  network: undefined,
  blockIo: undefined
})

const inspected = ({ id, spec, status }: Container): ContainerInspect => ({
  id,
  name: spec.name,
  imageId: spec.image,
  labels: spec.labels ?? {},
  env: [],
  user: "",
  createdAtMillis: 0,
  restartCount: 0,
  state: {
    status,
    running: status === "running",
    paused: false,
    restarting: false,
    oomKilled: false,
    hostPid: undefined,
    exitCode: status === "exited" ? 0 : undefined,
    error: "",
    startedAtMillis: 0,
    finishedAtMillis: undefined,
    health: "none"
  },
  host: spec.host ?? {},
  mounts: [],
  networks: {},
  execIds: []
})
