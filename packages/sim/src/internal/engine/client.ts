/** The Engine contract as one client of the simulated daemon speaks it. Each method is one call, or as many as the Docker adapter makes. */
import type { EngineInfo, EngineShape, LabelFilter } from "@sbx/engine/Engine"
import type { CallError, EngineConflict } from "@sbx/engine/EngineError"
import { EngineTimeout, execWithheld } from "@sbx/engine/EngineError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Archives from "./archives.ts"
import { create } from "./create.ts"
import { subscribe } from "./eventLog.ts"
import * as Execs from "./execs.ts"
import type { Connection } from "./feed.ts"
import { follow } from "./feed.ts"
import * as Images from "./images.ts"
import * as Inspects from "./inspects.ts"
import * as Lifecycle from "./lifecycle.ts"
import { container, isRunning, notRunning, withContainer } from "./lookup.ts"
import * as Logs from "./logs.ts"
import * as Networks from "./networks.ts"
import { remove } from "./removal.ts"
import * as Volumes from "./volumes.ts"
import type { Request } from "./wire.ts"
import { call } from "./wire.ts"
import type { Client, Job, World } from "./world.ts"
import { connectionLost, matches, openConnection } from "./world.ts"

type Ask = <A, E>(
  operation: string,
  handle: (job: Job) => Effect.Effect<A, E>,
  timeoutMillis?: Request<A, E>["timeoutMillis"]
) => Effect.Effect<A, E | CallError>

/** A stream over a connection that lives as long as the stream is read. */
const connected = <A, E, E2>(
  world: World,
  client: Client,
  ask: (connection: Connection) => Effect.Effect<Stream.Stream<A, E>, E2>
): Stream.Stream<A, E | E2> => Stream.unwrap(Effect.flatMap(openConnection(world, client), ask))

const collect = (tar: Stream.Stream<Uint8Array, CallError>) =>
  Effect.map(Stream.runCollect(tar), (chunks) => Buffer.concat(chunks))

/** As the Docker adapter: another's removal under way is success once the container is gone. */
const removeContainer = (client: Client, ask: Ask, world: World, id: string) => {
  const gone = ask("inspect container", (job) => withContainer(world, job.operation, id, () => Effect.void)).pipe(
    Effect.as(false),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed(true))
  )
  const { timeoutMillis } = client
  const awaitGone = gone.pipe(
    Effect.repeat({
      until: (value) => value,
      schedule: Schedule.exponential("20 millis").pipe(
        Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.millis(500))))
      )
    }),
    Effect.asVoid,
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.fail(new EngineTimeout({ operation: "remove container", timeoutMillis }))
    })
  )
  return ask("remove container", (job) => remove(world, job, id)).pipe(
    Effect.catchTags({
      ObjectNotFound: () => Effect.void,
      EngineConflict: (error): Effect.Effect<void, CallError | EngineConflict> =>
        error.reason === "removal-in-progress" ? awaitGone : Effect.fail(error)
    })
  )
}

/** A handler that looks once its work is done. */
const afterWork =
  <A, E>(look: (job: Job) => Effect.Effect<A, E>) =>
  (job: Job) =>
    Effect.andThen(
      job.work,
      Effect.suspend(() => look(job))
    )

/** As the engine tells them, those with the labels. */
const labelled = <A, B extends { readonly labels: Readonly<Record<string, string>> }>(
  all: Iterable<A>,
  tell: (one: A) => B,
  labels: LabelFilter
): ReadonlyArray<B> => Array.from(all, tell).filter((one) => matches(one.labels, labels))

const lifecycle = (world: World, client: Client, ask: Ask) =>
  ({
    createContainer: (spec) => ask("create container", (job) => create(world, job, spec)),
    startContainer: (id) => ask("start container", (job) => Lifecycle.start(world, job, id)),
    stopContainer: (id, { graceSeconds }) =>
      ask(
        "stop container",
        (job) => Lifecycle.stop(world, job, id, graceSeconds),
        Math.ceil(graceSeconds) * 1000 + client.timeoutMillis
      ),
    killContainer: (id, signal) => ask("kill container", (job) => Lifecycle.kill(world, job, id, signal)),
    pauseContainer: (id) => ask("pause container", (job) => Lifecycle.pause(world, job, id)),
    unpauseContainer: (id) => ask("unpause container", (job) => Lifecycle.unpause(world, job, id)),
    removeContainer: (id) => removeContainer(client, ask, world, id),
    updateContainer: (id, change) => ask("update container", (job) => Lifecycle.update(world, job, id, change)),
    waitContainer: (id) => ask("wait for container", (job) => Lifecycle.wait(world, job, id), "none")
  }) satisfies Partial<EngineShape>

const looks = (world: World, client: Client, ask: Ask, onlineCpus: number) =>
  ({
    inspectContainer: (id) =>
      ask("inspect container", (job) =>
        withContainer(world, job.operation, id, (found) =>
          Effect.andThen(
            job.work,
            Effect.sync(() => Inspects.inspect(found))
          )
        )
      ),
    listContainers: (labels) =>
      ask(
        "list containers",
        afterWork(() => Effect.sync(() => labelled(world.containers.values(), Inspects.summary, labels).toReversed()))
      ),
    topContainer: (id) =>
      ask(
        "list processes of container",
        afterWork(({ operation }) =>
          withContainer(world, operation, id, (found) =>
            Effect.suspend(() => (isRunning(found) ? Effect.succeed(Inspects.top(found)) : notRunning(operation, id)))
          )
        )
      ),
    statsContainer: (id) =>
      ask(
        "read statistics of container",
        afterWork(({ operation }) =>
          Effect.map(container(world, operation, id), (found) => Inspects.stats(world, found, onlineCpus))
        )
      ),
    logs: (id, options) =>
      connected(world, client, (connection) =>
        ask(
          "read logs of container",
          afterWork(({ operation }) =>
            Effect.map(container(world, operation, id), (found) => Logs.read(world, found, connection, options))
          )
        )
      )
  }) satisfies Partial<EngineShape>

const io = (world: World, client: Client, ask: Ask) =>
  ({
    exec: (id, spec) =>
      Effect.gen(function* () {
        if (spec.gate !== undefined && !(yield* spec.gate)) return yield* execWithheld(id)
        const connection = yield* openConnection(world, client)
        const execId = yield* ask("create exec", (job) => Execs.create(world, job, id, spec))
        const started = yield* ask("start exec", (job) => Execs.start(world, job, id, execId))
        return Execs.connect(world, connection, started)
      }),
    inspectExec: (execId) =>
      ask(
        "inspect exec",
        afterWork((job) => Execs.inspect(world, job, execId))
      ),
    getArchive: (id, path) =>
      connected(world, client, (connection) =>
        ask("read archive", (job) => Archives.get(world, connection, job, id, path))
      ),
    putArchive: (id, path, tar) =>
      Effect.flatMap(collect(tar), (bytes) =>
        ask("write archive", (job) => Archives.put(world, job, id, path, bytes), 600_000)
      ),
    statPath: (id, path) =>
      ask(
        "stat path",
        afterWork((job) => Archives.stat(world, job, id, path))
      )
  }) satisfies Partial<EngineShape>

const objects = (world: World, ask: Ask) =>
  ({
    listImages: (labels) =>
      ask(
        "list images",
        afterWork(() => Effect.sync(() => labelled(world.images.values(), Images.toInfo, labels)))
      ),
    inspectImage: (reference) =>
      ask(
        "inspect image",
        afterWork((job) => Images.inspect(world, job, reference))
      ),
    importImage: (tar, options) =>
      Effect.flatMap(collect(tar), (bytes) =>
        ask("import image", (job) => Images.importImage(world, job, bytes, options), 600_000)
      ),
    removeImage: (reference) => ask("remove image", (job) => Images.remove(world, job, reference)),
    listNetworks: (labels) =>
      ask(
        "list networks",
        afterWork(() => Effect.sync(() => labelled(world.networks.values(), Networks.summary, labels)))
      ),
    createNetwork: (options) => ask("create network", (job) => Networks.create(world, job, options)),
    removeNetwork: (id) => ask("remove network", (job) => Networks.remove(world, job, id)),
    connectNetwork: (networkId, containerId, aliases) =>
      ask("connect container to network", (job) => Networks.attach(world, job, networkId, containerId, aliases)),
    disconnectNetwork: (networkId, containerId) =>
      ask("disconnect container from network", (job) => Networks.detach(world, job, networkId, containerId)),
    listVolumes: (labels) =>
      ask(
        "list volumes",
        afterWork(() => Effect.sync(() => labelled(world.volumes.values(), Volumes.summary, labels)))
      ),
    inspectVolume: (name) =>
      ask(
        "inspect volume",
        afterWork((job) => Volumes.inspect(world, job, name))
      ),
    createVolume: (options) => ask("create volume", (job) => Volumes.create(world, job, options)),
    removeVolume: (name) => ask("remove volume", (job) => Volumes.remove(world, job, name))
  }) satisfies Partial<EngineShape>

const events =
  (world: World, client: Client, ask: Ask): EngineShape["events"] =>
  ({ labels, sinceMillis, actions }) =>
    connected(world, client, (connection) =>
      Effect.map(
        ask(
          "read events",
          afterWork(() => Effect.sync(() => subscribe(world, connection, { labels, actions }, sinceMillis))),
          "none"
        ),
        ({ feed }) =>
          follow(feed, connection, () => connectionLost(world, "read events", "the engine ended the event stream"))
      )
    )

const infoOf = (world: World): EngineInfo => ({
  id: "SIMULATED",
  version: "0.0.0-simulated",
  apiVersion: "1.41",
  operatingSystem: "simulated",
  kernelVersion: "0.0.0",
  architecture: "x86_64",
  cpus: 2,
  memoryBytes: 8 * 1024 ** 3,
  storageDriver: "memory",
  backingFilesystem: undefined,
  dataRoot: "/simulated",
  cgroupVersion: "2",
  cgroupDriver: "simulated",
  defaultRuntime: "runc",
  runtimes: ["runc"],
  securityOptions: ["name=seccomp,profile=default"],
  warnings: [],
  ...world.settings.info
})

/** A client has its own patience and its own connections; the world is shared. */
export const engineOf = (world: World, client: Client): EngineShape => {
  const ask: Ask = (operation, handle, timeoutMillis) =>
    call(world, client, { operation, handle, ...(timeoutMillis === undefined ? {} : { timeoutMillis }) })
  const info = infoOf(world)
  return {
    endpoint: world.settings.endpoint,
    ping: ask("ping the engine", ({ work }) => work),
    info: ask("read the engine's information", ({ work }) => Effect.as(work, info)),
    ...lifecycle(world, client, ask),
    ...looks(world, client, ask, info.cpus),
    ...io(world, client, ask),
    ...objects(world, ask),
    events: events(world, client, ask)
  }
}
