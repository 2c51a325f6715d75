/**
 * ext4 images attached to loop devices: make, find and take apart. What exists is read from the kernel
 * (/sys/block/loopN/loop/backing_file), so that a process without memory can clean up after a dead one.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Schedule from "effect/Schedule"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { imageBytes, inodeCount } from "./ext4Size.ts"
import { runScript } from "./hostCommand.ts"

export interface Host {
  readonly spawner: ChildProcessSpawner["Service"]
  readonly fs: FileSystem
}

export interface LoopDevice {
  /** E.g. `/dev/loop3`. */
  readonly device: string
  /** Path of the image as the kernel knows it. */
  readonly image: string
}

/** What failed, in the tools' own words. */
export class LoopFailure extends Data.TaggedError("LoopFailure")<{ readonly detail: string }> {}

/**
 * No journal: a sandbox does not outlive a crash of the host, and every lesser crash leaves the kernel's view intact; without
 * it the bytes are exact, mkfs writes next to nothing (16 ms in all) and fsync costs half. Features are named one by one,
 * because sizes are computed and mke2fs.conf differs between distributions. `lost+found` would be the user's first surprise.
 * losetup's own retry after a lost race for a free device sleeps 200 ms, hence the lock.
 */
const attachScript = `set -eu
PATH="$PATH:/usr/sbin:/sbin"
umask 077
mkdir -p "\${1%/*}"
truncate -s "$2" "$1"
mkfs.ext4 -q -F -b 4096 -I 256 -N "$3" -m 0 \\
  -O none,64bit,dir_index,dir_nlink,extent,extra_isize,filetype,flex_bg,huge_file,large_file,metadata_csum,sparse_super \\
  -E "root_owner=$4:$4,lazy_itable_init=0,nodiscard" "$1"
debugfs -w -f - "$1" >/dev/null 2>&1 <<'EOF'
rmdir lost+found
set_inode_field <2> mode 040700
EOF
exec flock "$5" losetup -f --show "$1"
`

/** Makes the image and attaches it. Resolves to the loop device. Do not interrupt: the tools would go on. */
export const attach = Effect.fnUntraced(function* (
  host: Host,
  options: {
    readonly image: string
    /** File that all processes of this machine lock while they look for a free device. */
    readonly lock: string
    readonly limitBytes: number
    readonly inodes: number
    readonly uid: number
  }
): Effect.fn.Return<string, LoopFailure> {
  const { image, lock, limitBytes, inodes, uid } = options
  const result = yield* runScript(host.spawner, attachScript, [
    image,
    String(imageBytes(limitBytes, inodes)),
    String(inodeCount(inodes)),
    String(uid),
    lock
  ])
  const device = result.stdout.trim()
  if (result.code !== 0 || !device.startsWith("/dev/loop")) {
    return yield* new LoopFailure({ detail: result.stderr.trim() || `exit code ${result.code}` })
  }
  return device
})

/** The kernel appends this to the path of an image that was unlinked while attached. */
const deletedSuffix = " (deleted)"

/** Attached devices whose image lies below `directory`. */
export const list = (host: Host, directory: string): Effect.Effect<ReadonlyArray<LoopDevice>> =>
  Effect.gen(function* () {
    const names = yield* host.fs.readDirectory("/sys/block")
    const found = yield* Effect.forEach(
      names.filter((name) => name.startsWith("loop")),
      (name) =>
        host.fs.readFileString(`/sys/block/${name}/loop/backing_file`).pipe(
          Effect.map((text): ReadonlyArray<LoopDevice> => {
            const image = text.trim().replace(deletedSuffix, "")
            return image.startsWith(`${directory}/`) ? [{ device: `/dev/${name}`, image }] : []
          }),
          // Not attached, or gone between listing and reading.
          Effect.orElseSucceed(() => [])
        ),
      { concurrency: 16 }
    )
    return found.flat()
    // No /sys/block: no loop devices.
  }).pipe(Effect.orElseSucceed(() => []))

const detachScript = `PATH="$PATH:/usr/sbin:/sbin"; status=0; for device; do losetup -d "$device" || status=$?; done; exit $status`

/** Detaches every device of the image and unlinks it. Absent is success; fails when the kernel still holds it after 5 s. */
export const detach = Effect.fnUntraced(function* (
  host: Host,
  image: string
): Effect.fn.Return<{ readonly devices: ReadonlyArray<string> }, LoopFailure> {
  const directory = image.slice(0, image.lastIndexOf("/"))
  const attached = Effect.map(list(host, directory), (loops) => loops.filter((loop) => loop.image === image))
  const loops = yield* attached
  if (loops.length > 0) {
    const devices = loops.map((loop) => loop.device)
    const result = yield* runScript(host.spawner, detachScript, devices)
    // A device in use is detached by the kernel on its last close, which follows the engine's unmount.
    const left = yield* attached.pipe(
      Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (rest) => rest.length === 0 }),
      Effect.timeoutOption("5 seconds")
    )
    if (left._tag === "None") {
      return yield* new LoopFailure({ detail: `${devices.join(", ")} still in use: ${result.stderr.trim()}` })
    }
  }
  yield* host.fs
    .remove(image, { force: true })
    .pipe(Effect.mapError((error) => new LoopFailure({ detail: `unlink ${image}: ${error.message}` })))
  return { devices: loops.map((loop) => loop.device) }
})
