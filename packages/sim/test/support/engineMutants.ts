/**
 * Engines that break one law each: wrappers of a sound engine, one for each law at least. They show that the contract can turn red.
 */
import type { EngineShape } from "@sbx/engine/Engine"
import { EngineConflict, EngineFailure } from "@sbx/engine/EngineError"
import { Effect, Scope, Stream } from "effect"

export interface Mutant {
  readonly does: string
  readonly law: string
  readonly mutate: (engine: EngineShape) => Partial<EngineShape>
}

const swallow = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.matchEffect(self, { onSuccess: () => Effect.void, onFailure: () => Effect.void })

const conflict = (id: string, reason: EngineConflict["reason"]) =>
  new EngineConflict({ operation: "mutant", id, reason, detail: "" })

const containers: ReadonlyArray<Mutant> = [
  {
    does: "claims to have no cpu",
    law: "answers a ping and tells what it is",
    mutate: ({ info }) => ({ info: Effect.map(info, (told) => ({ ...told, cpus: 0 })) })
  },
  {
    does: "lists running containers only",
    law: "creates without starting, and lists by label in every state",
    mutate: ({ listContainers }) => ({
      listContainers: (labels) =>
        Effect.map(listContainers(labels), (all) => all.filter(({ status }) => status === "running"))
    })
  },
  {
    does: "accepts a name that is taken",
    law: "refuses an unknown image and a name in use",
    mutate: ({ createContainer }) => ({
      createContainer: (spec) =>
        Effect.catchTag(createContainer(spec), "EngineConflict", () =>
          createContainer({ ...spec, name: `${spec.name}-2` })
        )
    })
  },
  {
    does: "calls a second start a conflict",
    law: "starts, stops and removes, each twice with the same result",
    mutate: ({ inspectContainer, startContainer }) => ({
      startContainer: (id) =>
        Effect.flatMap(inspectContainer(id), ({ state }) =>
          state.running ? Effect.fail(conflict(id, "already-running")) : startContainer(id)
        )
    })
  },
  {
    does: "answers a removal before the container is gone",
    law: "starts, stops and removes, each twice with the same result",
    mutate: ({ removeContainer }) => ({
      removeContainer: (id) => Effect.asVoid(Effect.forkDetach(Effect.delay(removeContainer(id), "1 second")))
    })
  },
  {
    does: "kills without the stop signal",
    law: "stops with the stop signal before it kills",
    mutate: ({ killContainer, waitContainer }) => ({
      stopContainer: (id) => Effect.asVoid(Effect.andThen(swallow(killContainer(id, "KILL")), waitContainer(id)))
    })
  },
  {
    does: "refuses to remove what runs",
    law: "removes a running container, and for two callers at once",
    mutate: ({ inspectContainer, removeContainer }) => ({
      removeContainer: (id) =>
        Effect.flatMap(Effect.option(inspectContainer(id)), (seen) =>
          seen._tag === "Some" && seen.value.state.running
            ? Effect.fail(conflict(id, "already-running"))
            : removeContainer(id)
        )
    })
  },
  {
    does: "tells the second of two removers of the conflict",
    law: "removes a running container, and for two callers at once",
    mutate: ({ removeContainer }) => {
      const going = new Set<string>()
      return {
        removeContainer: (id) => {
          if (going.has(id)) return Effect.fail(conflict(id, "removal-in-progress"))
          going.add(id)
          return Effect.ensuring(
            removeContainer(id),
            Effect.sync(() => going.delete(id))
          )
        }
      }
    }
  },
  {
    does: "answers every wait with 0",
    law: "waits for the exit code, also of one that has already ended",
    mutate: () => ({ waitContainer: () => Effect.succeed({ exitCode: 0 }) })
  },
  {
    does: "pauses twice without a word",
    law: "pauses and resumes, and says when it already is so",
    mutate: ({ pauseContainer }) => ({ pauseContainer: (id) => swallow(pauseContainer(id)) })
  },
  {
    does: "kills what does not run without a word",
    law: "refuses to kill, pause, exec in or list processes of one that does not run",
    mutate: ({ killContainer }) => ({ killContainer: (id, signal) => swallow(killContainer(id, signal)) })
  },
  {
    does: "has statistics of what is not there",
    law: "says not found for every call on a container that is not there",
    mutate: ({ statsContainer }) => ({
      statsContainer: (id) =>
        Effect.catchTag(statsContainer(id), "ObjectNotFound", () => Effect.succeed("absent" as const))
    })
  },
  {
    does: "says 500 for a command that is not there",
    law: "tells a command that is not there from a failing engine",
    mutate: ({ startContainer }) => ({
      startContainer: (id) =>
        Effect.catchTag(startContainer(id), "InvalidRequest", ({ detail, operation }) =>
          Effect.fail(new EngineFailure({ operation, status: 500, detail }))
        )
    })
  },
  {
    does: "forgets that the root is read-only",
    law: "shows the settings that it applied",
    mutate: ({ createContainer }) => ({
      createContainer: (spec) => createContainer({ ...spec, host: { ...spec.host, readOnlyRoot: false } })
    })
  },
  {
    does: "changes no limit",
    law: "changes limits while it runs",
    mutate: () => ({ updateContainer: () => Effect.void })
  },
  {
    does: "lists processes by their ids inside",
    law: "lists processes with their ids on the host",
    mutate: ({ topContainer }) => ({
      topContainer: (id) =>
        Effect.map(topContainer(id), (all) => all.map((one, index) => ({ ...one, hostPid: index + 1 })))
    })
  }
]

const io: ReadonlyArray<Mutant> = [
  {
    does: "mixes the two channels of an exec",
    law: "separates standard output from standard error and reports the exit code",
    mutate: ({ exec }) => ({
      exec: (id, spec) =>
        Effect.map(exec(id, spec), (open) => ({
          ...open,
          output: Stream.map(open.output, ({ bytes }) => ({ channel: "stdout" as const, bytes }))
        }))
    })
  },
  {
    does: "runs an exec as root",
    law: "gives an exec its environment, folder and user",
    mutate: ({ exec }) => ({ exec: (id, spec) => exec(id, { ...spec, user: "0:0" }) })
  },
  {
    does: "loses input beyond 64 KiB",
    law: "half-closes standard input and keeps the output",
    mutate: ({ exec }) => ({
      exec: (id, spec) =>
        Effect.map(exec(id, spec), (open) => ({
          ...open,
          writeStdin: (bytes: Uint8Array) => open.writeStdin(bytes.subarray(0, 65_536))
        }))
    })
  },
  {
    does: "ends the process with the connection",
    law: "does not end the process when the connection goes",
    mutate: ({ exec, killContainer }) => ({
      exec: (id, spec) =>
        Effect.tap(exec(id, spec), () => Effect.addFinalizer(() => Effect.ignore(killContainer(id, "KILL"))))
    })
  },
  {
    does: "starts an exec that its caller withholds",
    law: "makes no process of an exec before its gate has opened, and none if it does not",
    mutate: ({ exec }) => ({
      exec: (id, { gate = Effect.void, ...spec }) => Effect.andThen(gate, exec(id, spec))
    })
  },
  {
    does: "calls 127 success",
    law: "reports a command that cannot run by error or by code, never as success",
    mutate: ({ inspectExec }) => ({
      inspectExec: (id) =>
        Effect.map(inspectExec(id), (state) => ({ ...state, exitCode: state.exitCode === 127 ? 0 : state.exitCode }))
    })
  },
  {
    does: "makes up a state for an exec that never was",
    law: "does not know an exec that never was",
    mutate: ({ inspectExec }) => ({
      inspectExec: (id) =>
        Effect.catchTag(inspectExec(id), "ObjectNotFound", () =>
          Effect.succeed({ running: false, exitCode: 0, hostPid: undefined, containerId: "" })
        )
    })
  },
  {
    does: "forgets permissions of uploaded files",
    law: "takes a tar and gives it back",
    mutate: ({ statPath }) => ({
      statPath: (id, path) => Effect.map(statPath(id, path), (stat) => ({ ...stat, mode: 0o644 }))
    })
  },
  {
    does: "keeps a container locked when a tar is dropped",
    law: "lets other calls through after a tar was dropped half-read",
    mutate: ({ getArchive }) => ({
      getArchive: (id, path) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const forgotten = yield* Scope.make()
            const pull = yield* Stream.toPull(getArchive(id, path)).pipe(Scope.provide(forgotten))
            return Stream.fromPull(Effect.succeed(pull))
          })
        )
    })
  },
  {
    does: "drops what it may not write",
    law: "tells a missing path from a read-only root",
    mutate: ({ putArchive }) => ({
      putArchive: (id, path, tar) => Effect.catchTag(putArchive(id, path, tar), "InvalidRequest", () => Effect.void)
    })
  },
  {
    does: "takes no notice of the tail",
    law: "keeps the logs of both channels",
    mutate: ({ logs }) => ({ logs: (id, { follow }) => logs(id, { follow }) })
  },
  {
    does: "ends logs that should follow",
    law: "follows logs until the container ends",
    mutate: ({ logs }) => ({ logs: (id, options) => logs(id, { ...options, follow: false }) })
  },
  {
    does: "has statistics of what has stopped",
    law: "samples a running container at once, and calls a stopped one absent",
    mutate: ({ statsContainer }) => {
      let last: Effect.Success<ReturnType<EngineShape["statsContainer"]>> = "absent"
      return {
        statsContainer: (id) =>
          Effect.map(statsContainer(id), (stats) => {
            if (stats !== "absent") last = stats
            return last
          })
      }
    }
  },
  {
    does: "calls the host's memory a limit",
    law: "reports no memory limit where none was set",
    mutate: ({ statsContainer }) => ({
      statsContainer: (id) =>
        Effect.map(statsContainer(id), (stats) =>
          stats === "absent" || stats.memory === undefined
            ? stats
            : { ...stats, memory: { ...stats.memory, limitBytes: 8 * 1024 ** 3 } }
        )
    })
  }
]

const objects: ReadonlyArray<Mutant> = [
  {
    does: "gives an image another id each time",
    law: "finds an image by reference and by id, and lists it",
    mutate: ({ inspectImage }) => {
      let asked = 0
      return {
        inspectImage: (id) => Effect.map(inspectImage(id), (image) => ({ ...image, id: `${image.id}${asked++}` }))
      }
    }
  },
  {
    does: "forgets an image's labels",
    law: "imports a root file system, keeps it while used, removes it twice",
    mutate: ({ importImage }) => ({ importImage: (tar, { reference }) => importImage(tar, { reference, changes: [] }) })
  },
  {
    does: "imports with an unknown change",
    law: "refuses to import what is no tar, or with an unknown change",
    mutate: ({ importImage }) => ({
      importImage: (tar, { reference }) => importImage(tar, { reference, changes: [] })
    })
  },
  {
    does: "makes a second network of the same name",
    law: "creates a network once, lists it, removes it twice",
    mutate: ({ createNetwork }) => ({
      createNetwork: (options) =>
        Effect.catchTag(createNetwork(options), "EngineConflict", () =>
          createNetwork({ ...options, name: `${options.name}-2` })
        )
    })
  },
  {
    does: "connects without the aliases",
    law: "connects and disconnects a container, and keeps a network in use",
    mutate: ({ connectNetwork }) => ({ connectNetwork: (network, container) => connectNetwork(network, container, []) })
  },
  {
    does: "gives another volume under the same name",
    law: "creates the same volume again, but not another one of its name",
    mutate: ({ createVolume, inspectVolume }) => ({
      createVolume: (options) =>
        Effect.matchEffect(createVolume(options), {
          onSuccess: Effect.succeed,
          onFailure: () => Effect.orDie(inspectVolume(options.name))
        })
    })
  },
  {
    does: "makes a container's volume with the engine's defaults",
    law: "makes a container's volume as it was asked to, and takes one that exists as it is",
    mutate: ({ createContainer }) => ({
      createContainer: (spec) =>
        createContainer({
          ...spec,
          host: {
            ...spec.host,
            mounts: (spec.host?.mounts ?? []).map((mount) =>
              mount.kind === "volume" ? { kind: "volume", source: mount.source, target: mount.target } : mount
            )
          }
        })
    })
  },
  {
    does: "mounts a volume writable that should be read-only",
    law: "shares a volume's content and keeps it while used",
    mutate: ({ createContainer }) => ({
      createContainer: (spec) =>
        createContainer({
          ...spec,
          host: {
            ...spec.host,
            mounts: (spec.host?.mounts ?? []).map((mount) =>
              mount.kind === "volume" ? { ...mount, readOnly: false } : mount
            )
          }
        })
    })
  },
  {
    does: "drops volume options that it does not know",
    law: "refuses volume options that it does not know",
    mutate: ({ createVolume }) => ({ createVolume: ({ labels, name }) => createVolume({ labels, name }) })
  },
  {
    does: "tells events of every container",
    law: "tells events live and again since a time, for containers with the labels",
    mutate: ({ events }) => ({ events: (options) => events({ ...options, labels: {} }) })
  },
  {
    does: "tells events of every action",
    law: "tells only the actions asked for",
    mutate: ({ events }) => ({ events: ({ labels, sinceMillis = 0 }) => events({ labels, sinceMillis }) })
  },
  {
    does: "forgets an event's detail",
    law: "tells the command of an exec in the event's detail",
    mutate: ({ events }) => ({
      events: (options) => Stream.map(events(options), (event) => ({ ...event, detail: undefined }))
    })
  }
]

export const engineMutants: ReadonlyArray<Mutant> = [...containers, ...io, ...objects]
