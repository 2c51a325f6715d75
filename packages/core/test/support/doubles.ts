/** `Sandboxes` on an engine of memory: containers are entries of a map, calls yield, and misbehave only as told. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { ContainerStatus, EngineEvent, EngineInfo, EngineShape } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { EngineFailure, EngineUnavailable, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Memory from "@sbx/journal/Memory"
import { Cause, Effect, Layer, Queue, Stream } from "effect"
import * as Environment from "../../src/Environment.ts"
import * as Sandboxes from "../../src/Sandboxes.ts"
import { UidLeases } from "../../src/UidLease.ts"
import { Workspaces } from "../../src/Workspace.ts"
import { inspected } from "./contextOn.ts"

export interface EngineDouble {
  readonly containers: Map<string, { name: string; status: ContainerStatus; labels: Readonly<Record<string, string>> }>
  /** Most containers that ever were at once. */
  peak: number
  created: number
  /** Creates that are answered with a failure from now on. */
  failing: number
  /** Removals fail for these names. */
  readonly stuck: Set<string>
  /** Before a create is answered; default: a yield. */
  delay: Effect.Effect<void>
  removals: { now: number; peak: number }
  inspects: number
  /** Live event streams; `cut` ends them with an error. */
  readonly emit: (action: string, id: string) => void
  readonly cut: () => void
}

export const engineDouble = () => {
  const queues = new Set<Queue.Queue<EngineEvent, EngineUnavailable>>()
  const double: EngineDouble = {
    containers: new Map(),
    peak: 0,
    created: 0,
    failing: 0,
    stuck: new Set(),
    delay: Effect.yieldNow,
    removals: { now: 0, peak: 0 },
    inspects: 0,
    emit: (action, id) => {
      const facts = { atMillis: 0, timeNano: "0", type: "container", detail: undefined, attributes: {} }
      for (const queue of queues) Queue.offerUnsafe(queue, { ...facts, action, actorId: id })
    },
    cut: () => {
      const lost = new EngineUnavailable({
        operation: "events",
        endpoint: "",
        reason: "connection-lost",
        detail: "cut"
      })
      for (const queue of queues) Queue.failCauseUnsafe(queue, Cause.fail(lost))
      queues.clear()
    }
  }
  return { double, engine: shapeOf(double, queues) }
}

const info: Partial<EngineInfo> = { id: "double", cpus: 2, cgroupVersion: "1" }

const broken = (operation: string) => new EngineFailure({ operation, status: 500, detail: "told to fail" })

const shapeOf = (
  double: EngineDouble,
  queues: Set<Queue.Queue<EngineEvent, EngineUnavailable>>
): Partial<EngineShape> => ({
  endpoint: { kind: "private", address: "unix:///none" },
  info: Effect.succeed(info as EngineInfo),
  createContainer: Effect.fnUntraced(function* ({ name, labels = {} }) {
    yield* double.delay
    if (double.failing > 0) {
      double.failing -= 1
      return yield* new ObjectNotFound({ operation: "create container", kind: "image", id: "double" })
    }
    const id = `c${++double.created}`
    double.containers.set(id, { name: name ?? id, status: "created", labels })
    double.peak = Math.max(double.peak, double.containers.size)
    return id
  }),
  startContainer: (id) =>
    Effect.sync(() => {
      const found = double.containers.get(id)
      if (found !== undefined) found.status = "running"
    }),
  inspectContainer: (id) =>
    Effect.sync(() => {
      double.inspects += 1
      const status = double.containers.get(id)?.status ?? "dead"
      const startedAtMillis = status === "created" ? undefined : 600
      return { ...inspected({ status, running: status === "running", startedAtMillis }), id }
    }),
  removeContainer: Effect.fnUntraced(function* (nameOrId) {
    double.removals.now += 1
    double.removals.peak = Math.max(double.removals.peak, double.removals.now)
    yield* Effect.yieldNow
    double.removals.now -= 1
    for (const [id, { name }] of double.containers) {
      if (id !== nameOrId && name !== nameOrId) continue
      if (double.stuck.has(id)) return yield* broken("remove container")
      double.containers.delete(id)
    }
  }),
  listContainers: () =>
    Effect.sync(() => [...double.containers].map(([id, found]) => ({ id, ...found, image: "", createdAtMillis: 0 }))),
  events: () =>
    Stream.unwrap(
      Effect.gen(function* () {
        const queue = yield* Queue.unbounded<EngineEvent, EngineUnavailable>()
        queues.add(queue)
        return Stream.fromQueue(queue)
      })
    )
})

/** Everything that `Sandboxes` needs, none of it real but the journal's rules. */
export const doublesLayer = (
  engine: Partial<EngineShape>,
  settings: Partial<Environment.Settings> = {},
  options: Partial<Sandboxes.SandboxesOptions> = {}
) => {
  let uid = 100_000
  return Sandboxes.layerWith({
    run: "run_test",
    journalPath: "memory",
    image: "double",
    workspace: "memory",
    ...options
  }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.mock(Engine, engine as EngineShape),
        Layer.mock(Workspaces, {
          diskObstacle: undefined,
          choose: () => Effect.succeed("memory" as const),
          create: () => Effect.succeed({ ready: Effect.void }),
          remove: () => Effect.void
        }),
        Layer.mock(UidLeases, { acquire: () => Effect.sync(() => uid++), release: () => Effect.void }),
        Environment.layerWith(settings),
        Memory.layer
      )
    ),
    Layer.provideMerge(NodeServices.layer)
  )
}
