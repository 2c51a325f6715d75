/**
 * ext4 images attached to loop devices: make, find and take apart. What exists is read from the kernel
 * (/sys/block/loopN/loop/backing_file), so that a process without memory can clean up after a dead one.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { imageBytes, inodeCount } from "./ext4Size.ts"
import * as Ext4Template from "./ext4Template.ts"
import { type HostCommandResult, runScript } from "./hostCommand.ts"
import type { HostShell } from "./hostShell.ts"

export interface Host {
  readonly spawner: ChildProcessSpawner["Service"]
  readonly fs: FileSystem
  /** Of {@link shellFunctions}. */
  readonly shell: HostShell
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
 * it the bytes are exact, mkfs writes next to nothing and fsync costs half. Features are named one by one, because sizes are
 * computed and mke2fs.conf differs between distributions. `lost+found` would be the user's first surprise.
 */
const formatScript = `set -eu
PATH="$PATH:/usr/sbin:/sbin"
umask 077
truncate -s "$2" "$1"
mkfs.ext4 -q -F -b 4096 -I 256 -N "$3" -m 0 \\
  -O none,64bit,dir_index,dir_nlink,extent,extra_isize,filetype,flex_bg,huge_file,large_file,metadata_csum,sparse_super \\
  -E "root_owner=$4:$4,lazy_itable_init=0,nodiscard" "$1"
debugfs -w -f - "$1" >/dev/null 2>&1 <<'EOF'
rmdir lost+found
set_inode_field <2> mode 040700
EOF
`

/** losetup's own retry after a lost race for a free device sleeps 200 ms, hence the lock. */
export const shellFunctions = `PATH="$PATH:/usr/sbin:/sbin"; umask 077
attach() { flock "$2" losetup -f --show "$1"; }
detach() { status=0; for device; do losetup -d "$device" || status=$?; done; return $status; }`

/** What images look like when they are new, by size: made by the first of each size. */
export interface Templates {
  readonly known: Map<string, Ext4Template.Template>
  /** One image is formatted at a time: others of its size copy it then. */
  readonly formatting: Semaphore.Semaphore
}

export const makeTemplates: Effect.Effect<Templates> = Effect.map(Semaphore.make(1), (formatting) => ({
  known: new Map(),
  formatting
}))

/** Of more sizes in one process the oldest is forgotten, and formatted anew when it is asked for. */
const mostTemplates = 32

export interface ImageRequest {
  readonly image: string
  /** File that all processes of this machine lock while they look for a free device. */
  readonly lock: string
  readonly limitBytes: number
  readonly inodes: number
  readonly uid: number
}

/** Makes the image and attaches it. Resolves to the loop device. Do not interrupt: the tools would go on. */
export const attach = Effect.fnUntraced(function* (
  host: Host,
  templates: Templates,
  request: ImageRequest
): Effect.fn.Return<string, LoopFailure> {
  const { image, lock } = request
  yield* attempt(() => fs.mkdirSync(path.dirname(image), { recursive: true, mode: 0o700 }))
  yield* makeImage(host, templates, request)
  const said = yield* succeeded(host.shell.call("attach", image, lock))
  const device = said.split("\n").find((line) => line.startsWith("/dev/loop"))
  if (device === undefined) return yield* new LoopFailure({ detail: `losetup named no device: ${said}` })
  return device
})

/** Copied in a millisecond where one of its size was made before; else by mke2fs, which takes several processes and some 20 ms. */
const makeImage = (host: Host, templates: Templates, request: ImageRequest): Effect.Effect<void, LoopFailure> => {
  const { known, formatting } = templates
  const key = `${request.limitBytes}/${request.inodes}`
  const copied = Effect.gen(function* (): Effect.fn.Return<boolean, LoopFailure> {
    const template = known.get(key)
    if (template === undefined) return false
    const atSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    yield* attempt(() => Ext4Template.write(template, request.image, { uid: request.uid, atSeconds }))
    return true
  })
  const made = Effect.gen(function* (): Effect.fn.Return<void, LoopFailure> {
    // Another may have made it meanwhile.
    if (yield* copied) return
    yield* format(host, request)
    const template = yield* attempt(() => Ext4Template.read(request.image))
    const [oldest] = known.keys()
    if (known.size >= mostTemplates && oldest !== undefined) known.delete(oldest)
    known.set(key, template)
  })
  return Effect.flatMap(copied, (done) => (done ? Effect.void : formatting.withPermit(made)))
}

const format = (host: Host, { image, limitBytes, inodes, uid }: ImageRequest) =>
  succeeded(
    runScript(host.spawner, formatScript, [
      image,
      String(imageBytes(limitBytes, inodes)),
      String(inodeCount(inodes)),
      String(uid)
    ])
  )

/** What it printed. */
const succeeded = (command: Effect.Effect<HostCommandResult>): Effect.Effect<string, LoopFailure> =>
  Effect.flatMap(command, ({ code, stdout, stderr }) =>
    code === 0 ? Effect.succeed(stdout) : Effect.fail(new LoopFailure({ detail: stderr.trim() || `exit code ${code}` }))
  )

/** Synchronous: these take microseconds in the page cache, and many times that through a thread pool. */
const attempt = <A>(body: () => A): Effect.Effect<A, LoopFailure> =>
  Effect.try({
    try: body,
    catch: (cause) => new LoopFailure({ detail: cause instanceof Error ? cause.message : String(cause) })
  })

/** Path that leads to an image's device: an engine that sees our files can be told it before there is a device. */
export const linkOf = (image: string): string => image.replace(/\.img$/, ".dev")

/** Lets {@link linkOf} lead to the device. */
export const link = (image: string, device: string): Effect.Effect<void, LoopFailure> =>
  attempt(() => fs.symlinkSync(device, linkOf(image)))

/** The kernel appends this to the path of an image that was unlinked while attached. */
const deletedSuffix = " (deleted)"

/** Attached devices whose image lies below `directory`. Read at once, in a millisecond or two: through a thread pool it takes ten times that. */
export const list = (directory: string): Effect.Effect<ReadonlyArray<LoopDevice>> =>
  Effect.sync(() =>
    namesBelow("/sys/block")
      .filter((name) => name.startsWith("loop"))
      .flatMap((name) => {
        const image = backingFile(name)
        return image.startsWith(`${directory}/`) ? [{ device: `/dev/${name}`, image }] : []
      })
  )

const namesBelow = (directory: string): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(directory)
  } catch {
    // No /sys/block: no loop devices.
    return []
  }
}

const backingFile = (name: string): string => {
  try {
    return fs.readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim().replace(deletedSuffix, "")
  } catch {
    // Not attached, or gone between listing and reading.
    return ""
  }
}

/**
 * Detaches every device of the images, which lie in one directory, and unlinks them. Absent is success; resolves to those that the
 * kernel still holds after 5 s, or that cannot be unlinked, with the reason.
 */
export const detachAll = Effect.fnUntraced(function* (
  host: Host,
  directory: string,
  images: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyMap<string, string>> {
  const wanted = new Set(images)
  const attached = Effect.map(list(directory), (loops) => loops.filter((loop) => wanted.has(loop.image)))
  const left = new Map<string, string>()
  const loops = yield* attached
  if (loops.length > 0) {
    const result = yield* host.shell.call("detach", ...loops.map((loop) => loop.device))
    // A device in use is detached by the kernel on its last close, which follows the engine's unmount.
    yield* attached.pipe(
      Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (rest) => rest.length === 0 }),
      Effect.timeoutOption("5 seconds")
    )
    for (const { image, device } of yield* attached) left.set(image, `${device} still in use: ${result.stderr.trim()}`)
  }
  for (const image of images) {
    if (left.has(image)) continue
    // The image last: what is cut short is found by it.
    const unlinked = yield* Effect.result(
      Effect.andThen(host.fs.remove(linkOf(image), { force: true }), host.fs.remove(image, { force: true }))
    )
    if (unlinked._tag === "Failure") left.set(image, `unlink ${image}: ${unlinked.failure.message}`)
  }
  return left
})
