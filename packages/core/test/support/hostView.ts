/** What the machine itself shows, read behind the library's back: processes, loop devices, files, engine objects. */
import { Engine } from "@sbx/engine/Engine"
import { type Duration, Effect, Schedule } from "effect"
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as SandboxLabels from "../../src/SandboxLabels.ts"
import { StateDir } from "../../src/StateDir.ts"
import { UidLeases } from "../../src/UidLease.ts"

const text = (path: string): string => {
  try {
    return fs.readFileSync(path, "latin1")
  } catch {
    return ""
  }
}

/** Live processes (no zombies) whose command line holds `needle`, by the machine's own /proc. */
export const processesWith = (needle: string): ReadonlyArray<number> =>
  fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((name) => text(`/proc/${name}/cmdline`).includes(needle))
    .filter((name) => !/^State:\s+[ZX]/m.test(text(`/proc/${name}/status`)))
    .map(Number)

/** Loop devices whose image lies below `directory`. */
export const loopsBelow = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop") && text(`/sys/block/${name}/loop/backing_file`).startsWith(directory))

/** Paths of the images that loop devices hold below `directory`. */
export const loopImagesBelow = (directory: string): ReadonlyArray<string> =>
  loopsBelow(directory).map((name) => text(`/sys/block/${name}/loop/backing_file`).trim())

export const filesBelow = (directory: string): ReadonlyArray<string> =>
  fs.existsSync(directory)
    ? fs
        .readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
    : []

/** Images and links of disk workspaces below `directory`. */
export const entriesBelow = (directory: string): ReadonlyArray<string> =>
  fs.existsSync(directory)
    ? fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => /\.(img|dev)$/.test(name))
    : []

/** Containers, volumes, loop devices, images and leases of this test's own state directory and journal. */
export const leftovers = Effect.fnUntraced(function* (journalId: string) {
  const engine = yield* Engine
  const { path } = yield* StateDir
  const leases = yield* UidLeases
  const filter = { [SandboxLabels.keys.journal]: journalId }
  return {
    containers: (yield* engine.listContainers(filter)).map((container) => container.name),
    volumes: (yield* engine.listVolumes(filter)).map((volume) => volume.name),
    loops: loopsBelow(path),
    images: entriesBelow(`${path}/volumes`),
    leases: (yield* leases.list).map((lease) => lease.sandbox)
  }
})

export const nothing = { containers: [], volumes: [], loops: [], images: [], leases: [] }

/** Polls until the condition holds; the deadline fails the test with what was seen last. */
export const eventually = <A, E, R>(
  see: Effect.Effect<A, E, R>,
  holds: (value: A) => boolean,
  within: Duration.Input = "10 seconds"
) => see.pipe(Effect.repeat({ until: holds, schedule: Schedule.spaced("50 millis") }), Effect.timeout(within))

/** A command of the test machine, for what node cannot do. */
export const onHost = (command: string, ...args: ReadonlyArray<string>): string =>
  childProcess.execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
