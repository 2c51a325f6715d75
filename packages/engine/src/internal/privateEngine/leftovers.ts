/**
 * What a private engine can leave on the machine besides processes: mounts, loop devices and cgroups. Lists and removes only
 * what the engine made beneath our own roots; a user's own mount there stays.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { runCommand } from "./command.ts"
import type { EnginePaths } from "./enginePaths.ts"
import { mountNamespaces, ownedProcesses } from "./processes.ts"

const cgroupRoot = "/sys/fs/cgroup"

const within = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`)

/** Octal escapes of mountinfo: blank, tab, newline, backslash (proc(5)). */
const unescape = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const mountPoints = (mountinfo: string): ReadonlyArray<string> =>
  mountinfo.split("\n").flatMap((line) => {
    const point = line.split(" ")[4]
    return point === undefined ? [] : [unescape(point)]
  })

/** Where dockerd mounts beneath its data root: layers, shm of containers, volumes, plugins; and the start script's probe. */
const dataMount =
  /^(?:overlay2\/.+|vfs\/.+|containers\/.+|volumes\/[^/]+\/_data|plugins\/.+|buildkit\/.+|\.overlay-probe\/m)$/

/**
 * A mount that the engine made. Not one at `home`, the data root or a folder that the user chose to put on a disk of their own:
 * to take that away would take the images with it.
 */
export const isEngineMount = (paths: EnginePaths, point: string): boolean =>
  within(point, `${paths.home}/ns`) ||
  point.startsWith(`${paths.run}/`) ||
  (point.startsWith(`${paths.dataRoot}/`) && dataMount.test(point.slice(paths.dataRoot.length + 1)))

const engineMounts = (paths: EnginePaths, mountinfo: string): ReadonlyArray<string> =>
  mountPoints(mountinfo).filter((point) => isEngineMount(paths, point))

/** Mounts of the engine in this process's own mount namespace, deepest first. */
const hostMounts = (paths: EnginePaths): ReadonlyArray<string> =>
  engineMounts(paths, readFileSync("/proc/self/mountinfo", "latin1")).toReversed()

/**
 * Where workspace images of an engine lie: `<state>/volumes/<engine id, other characters as ->`. They are core's; only their loop
 * devices are looked at here.
 */
const volumeFolder = (paths: EnginePaths): string | undefined => {
  try {
    return `${paths.stateRoot}/volumes/${readFileSync(paths.daemonId, "utf8")
      .trim()
      .replaceAll(/[^A-Za-z0-9]+/g, "-")}`
  } catch {
    return undefined
  }
}

const loopsBeneath = (folders: ReadonlyArray<string>): ReadonlyArray<string> =>
  readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop"))
    .filter((name) => {
      try {
        const file = readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim()
        return folders.some((folder) => within(file, folder))
      } catch {
        return false
      }
    })
    .map((name) => `/dev/${name}`)

/** Loop devices of the engine and of its sandboxes' workspaces (loop(4), sysfs `loop/backing_file`). */
export const loopDevices = (paths: EnginePaths): ReadonlyArray<string> => {
  const volumes = volumeFolder(paths)
  return loopsBeneath(volumes === undefined ? [paths.home] : [paths.home, volumes])
}

const subdirectories = (directory: string): ReadonlyArray<string> => {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [`${directory}/${entry.name}`] : []
    )
  } catch {
    return []
  }
}

/** Our cgroups of every hierarchy (v1: one a controller; v2: one), children before parents. */
const cgroupsOf = (id: string): ReadonlyArray<string> => {
  const descend = (directory: string): ReadonlyArray<string> => [
    ...subdirectories(directory).flatMap(descend),
    directory
  ]
  return [cgroupRoot, ...subdirectories(cgroupRoot)]
    .map((hierarchy) => `${hierarchy}/sbx-${id}`)
    .filter((directory) => existsSync(directory))
    .flatMap(descend)
}

const attempt = (act: () => void): boolean => {
  try {
    act()
    return true
  } catch {
    return false
  }
}

/** A frozen v1 cgroup keeps even SIGKILL pending (kernel: cgroup-v1/freezer-subsystem), so paused containers are thawed first. */
export const thawCgroups = (id: string): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const directory of cgroupsOf(id)) {
      const freezer = `${directory}/freezer.state`
      const freeze = `${directory}/cgroup.freeze`
      if (existsSync(freezer)) attempt(() => writeFileSync(freezer, "THAWED"))
      if (existsSync(freeze)) attempt(() => writeFileSync(freeze, "0"))
    }
  })

/** A cgroup that is still busy stays; `listLeftovers` reports it. */
export const removeCgroups = (id: string): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const directory of cgroupsOf(id)) attempt(() => rmdirSync(directory))
  })

/** Unmounts what the engine mounted in this namespace, then frees the loop devices given. */
export const releaseMounts = Effect.fnUntraced(function* (
  paths: EnginePaths,
  loops: ReadonlyArray<string>
): Effect.fn.Return<void, PlatformError.PlatformError, ChildProcessSpawner> {
  for (const point of hostMounts(paths)) yield* runCommand("umount", ["--lazy", point])
  for (const device of loops) yield* runCommand("losetup", ["--detach", device])
})

/** Everything of the engine that is still on the machine, in any mount namespace, one line each. Empty after a clean `down`. */
export const listLeftovers = Effect.fnUntraced(function* (paths: EnginePaths): Effect.fn.Return<ReadonlyArray<string>> {
  const processes = (yield* ownedProcesses(paths.id)).map((owned) => `process ${owned.pid}: ${owned.command}`)
  const mounts = mountNamespaces().flatMap(({ pid, mountinfo }) =>
    engineMounts(paths, mountinfo).map((point) => `mount ${point} (seen by process ${pid})`)
  )
  const loops = loopDevices(paths).map((device) => `loop device ${device}`)
  const cgroups = cgroupsOf(paths.id).map((directory) => `cgroup ${directory}`)
  const run = existsSync(paths.run) ? [`directory ${paths.run}`] : []
  return [...processes, ...mounts, ...loops, ...cgroups, ...run]
})
