/**
 * What a benchmark that was killed -9 leaves on the machine: its folder, and the competitor's images on loop devices, which bear no
 * label. Its objects in the engine do, and have to be gone before. Never touches the folder of a process that lives.
 */
import * as Owner from "@sbx/core/Owner"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

const parentOf = (directory: string) => `${directory}/.sbx/bench`

/** A new folder that says whose it is; removed with the scope. */
export const makePlace = Effect.fn("benchRemains.makePlace")(function* (directory: string) {
  const fs = yield* FileSystem
  const parent = parentOf(directory)
  yield* fs.makeDirectory(parent, { recursive: true })
  const place = yield* fs.makeTempDirectoryScoped({ directory: parent, prefix: "bench-" })
  yield* fs.writeFileString(`${place}/owner`, Owner.toLabel(yield* Owner.current))
  return place
})

/** Removes what dead benchmarks of this directory left. Resolves to what it removed and what it could not. */
export const sweep = Effect.fn("benchRemains.sweep")(function* (directory: string) {
  const fs = yield* FileSystem
  const parent = parentOf(directory)
  const names = yield* Effect.orElseSucceed(fs.readDirectory(parent), () => [])
  const removed: Array<string> = []
  const failures: Array<string> = []
  for (const place of names.map((name) => `${parent}/${name}`)) {
    const owner = Owner.fromLabel(yield* Effect.orElseSucceed(fs.readFileString(`${place}/owner`), () => ""))
    if (owner === undefined || (yield* Owner.liveness(owner)) !== "dead") continue
    const devices = devicesBelow(place)
    const refused = devices.length === 0 ? undefined : yield* detach(devices)
    if (refused === undefined) yield* fs.remove(place, { recursive: true, force: true })
    if (refused === undefined) removed.push(`benchmark folder ${place}`)
    else failures.push(`${place}: ${refused}`)
  }
  return { removed, failures }
})

const backingFile = (name: string): string => {
  try {
    return readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim()
  } catch {
    // Not attached, or gone between listing and reading.
    return ""
  }
}

const devicesBelow = (place: string): ReadonlyArray<string> =>
  readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop") && backingFile(name).startsWith(`${place}/`))
    .map((name) => `/dev/${name}`)

const script = `PATH="$PATH:/usr/sbin:/sbin"; for device; do losetup -d "$device" || exit; done`

/** Why not, or nothing when they are detached. */
const detach = (devices: ReadonlyArray<string>) =>
  Effect.callback<string | undefined>((resume) => {
    execFile("sh", ["-c", script, "sh", ...devices], (error) => resume(Effect.succeed(error?.message)))
  })
