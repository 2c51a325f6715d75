/** Whether what we do on this host is done to the engine's kernel. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { runCommand } from "../privateEngine/command.ts"
import type { Site } from "./probe.ts"

/** Why the engine is not ours to touch from here as root; undefined when it is. */
export const localObstacle = Effect.fnUntraced(function* (site: Site) {
  const remote = yield* remoteness(site)
  if (remote !== undefined) return remote
  const { stdout } = yield* runCommand("id", ["-u"])
  return stdout.trim() === "0" ? undefined : "not tried: needs root"
})

/** A unix socket may be forwarded from another machine: the kernels are compared. */
export const remoteness = Effect.fnUntraced(function* (site: Site) {
  if (!site.engine.endpoint.address.startsWith("unix:")) return "not tried: the engine is remote"
  const fs = yield* FileSystem.FileSystem
  const ours = (yield* fs.readFileString("/proc/sys/kernel/osrelease")).trim()
  const { kernelVersion } = yield* site.engine.info
  return ours === kernelVersion
    ? undefined
    : `not tried: the engine runs on kernel ${kernelVersion}, this host on ${ours}`
})
