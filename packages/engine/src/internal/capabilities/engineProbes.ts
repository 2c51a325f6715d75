/** The engine itself: does it answer, what is it, can it run a container. */
import * as Effect from "effect/Effect"
import type { Probe } from "./probe.ts"
import { container, fail, pass, shell, unknown } from "./probe.ts"

const engine: Probe = {
  name: "engine",
  required: true,
  advice: "Start the engine, set DOCKER_HOST, or let sbx start its private one (`./sbx engine up`).",
  look: (site) =>
    Effect.gen(function* () {
      yield* site.engine.ping
      const info = yield* site.engine.info
      const { kind, address } = site.engine.endpoint
      return pass(`${info.version} at ${address} (${kind}), ${info.operatingSystem}, kernel ${info.kernelVersion}`)
    })
}

const api: Probe = {
  name: "api",
  required: true,
  advice: "Update the engine to Docker 20.10 or newer.",
  // The layer has refused what we do not speak.
  look: (site) => Effect.map(site.engine.info, (info) => pass(`API ${info.apiVersion}`))
}

const cgroup: Probe = {
  name: "cgroup",
  required: false,
  advice: "Mount a cgroup hierarchy on the engine's host: limits cannot be enforced without one.",
  look: (site) =>
    Effect.map(site.engine.info, (info) => {
      const found = `cgroup ${info.cgroupVersion}, driver ${info.cgroupDriver || "not reported"}`
      const ignored = info.warnings.filter((warning) => /limit|cgroup|swap/i.test(warning))
      if (info.cgroupVersion === "unknown") return unknown(found)
      return ignored.length === 0 ? pass(found) : fail(`${found}; ${ignored.join("; ")}`)
    })
}

/** They copy the whole image for each container. */
const copying = new Set(["vfs"])

const storage: Probe = {
  name: "storage-driver",
  required: false,
  advice: "Use overlay2 on ext4 or xfs: vfs copies the whole image for each container.",
  look: (site) =>
    Effect.map(site.engine.info, (info) => {
      const found = `${info.storageDriver} on ${info.backingFilesystem ?? "an unreported file system"}`
      if (info.storageDriver === "") return unknown("not reported")
      return copying.has(info.storageDriver) ? fail(found) : pass(found)
    })
}

const start: Probe = {
  name: "container-start",
  required: true,
  advice: "Look at the engine's log; build the image first (`./sbx images`).",
  look: (site) =>
    Effect.gen(function* () {
      const id = yield* container(site, {})
      const { exitCode, text } = yield* shell(site, id, "echo alive")
      return exitCode === 0 && text === "alive"
        ? pass(`${site.image} starts and answers`)
        : fail(`exit code ${exitCode}: ${text}`)
    })
}

export const engineProbes: ReadonlyArray<Probe> = [engine, api, cgroup, storage, start]
