/** Ways to bound the bytes that a container can write, each tried by writing past the bound. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { HostSettings } from "../../ContainerSpec.ts"
import { runCommand } from "../privateEngine/command.ts"
import { localObstacle } from "./locality.ts"
import type { Probe, Site } from "./probe.ts"
import { container, fail, pass, probeName, shell, unknown } from "./probe.ts"

const mebibyte = 1024 * 1024

/** Writes below the limit, then past it; the error must be ENOSPC (or EDQUOT of project quotas). */
const writePast = (site: Site, id: string, file: string, limitMebibytes: number) =>
  Effect.gen(function* () {
    const write = (count: number) => shell(site, id, `dd if=/dev/zero of=${file} bs=1M count=${count} 2>&1`)
    const control = yield* write(1)
    if (control.exitCode !== 0) return unknown(`writing 1 MiB fails: ${control.text}`)
    const beyond = yield* write(3 * limitMebibytes)
    if (beyond.exitCode === 0) return fail(`${3 * limitMebibytes} MiB could be written past ${limitMebibytes} MiB`)
    const size = yield* shell(site, id, `wc -c < ${file}`)
    return /No space left|quota exceeded/i.test(beyond.text)
      ? pass(`${limitMebibytes} MiB asked, the write ended after ${(Number(size.text) / mebibyte).toFixed(1)} MiB`)
      : unknown(`the write failed in another way: ${beyond.text}`)
  })

const inVolume = <R>(site: Site, driverOptions: Record<string, string>, whenMounted: Effect.Effect<void, never, R>) =>
  Effect.gen(function* () {
    const name = yield* probeName
    yield* Effect.addFinalizer(() => Effect.ignore(site.engine.removeVolume(name)))
    yield* site.engine.createVolume({ name, labels: site.labels, driverOptions })
    const mounts = [{ kind: "volume", source: name, target: "/sbx-disk", noCopy: true }] as const
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const id = yield* container(site, { mounts } satisfies HostSettings)
        yield* whenMounted
        return yield* writePast(site, id, "/sbx-disk/f", 8)
      })
    )
  })

class ToolFailure extends Data.TaggedError("ToolFailure")<{ readonly message: string }> {}

const tool = Effect.fnUntraced(function* (program: string, ...args: ReadonlyArray<string>) {
  const result = yield* runCommand(program, args, { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } })
  if (result.exitCode !== 0) return yield* new ToolFailure({ message: `${program}: ${result.stderr.trim()}` })
  return result.stdout.trim()
})

/** Unlinked and marked for detaching as soon as it is mounted: the kernel takes both back when the container goes, whatever ends us. */
const loopImage = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const image = yield* fs.makeTempFileScoped({ prefix: "sbx-probe-" })
  yield* fs.truncate(image, 8 * mebibyte)
  yield* tool("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", image)
  const device = yield* Effect.acquireRelease(tool("losetup", "--find", "--show", image), (attached) =>
    Effect.ignore(tool("losetup", "--detach", attached))
  )
  return { device, letGo: Effect.ignore(tool("losetup", "--detach", device)) }
})

const loop: Probe = {
  name: "disk-limit-loop",
  required: false,
  advice: "Run as root on the engine's host with util-linux and e2fsprogs: disk workspaces need loop devices.",
  look: (site) =>
    Effect.gen(function* () {
      const obstacle = yield* localObstacle(site)
      if (obstacle !== undefined) return unknown(obstacle)
      const { device, letGo } = yield* loopImage
      return yield* inVolume(site, { type: "ext4", device }, letGo)
    })
}

const tmpfs: Probe = {
  name: "disk-limit-tmpfs",
  required: false,
  advice: "Look at the engine's log: memory workspaces need the local volume driver to mount a tmpfs.",
  look: (site) => inVolume(site, { type: "tmpfs", device: "tmpfs", o: "size=8m" }, Effect.void)
}

const storageOpt: Probe = {
  name: "disk-limit-storage-opt",
  required: false,
  advice: "Needed only to bound writable roots: put the engine's data root on xfs mounted with pquota.",
  look: (site) =>
    Effect.gen(function* () {
      const created = yield* Effect.result(container(site, { storageOpt: { size: "64M" } }))
      if (created._tag === "Success") return yield* writePast(site, created.success, "/sbx-file", 64)
      const error = created.failure
      const refused = error._tag === "EngineFailure" || error._tag === "InvalidRequest"
      return refused ? fail(`refused: ${error.detail}`) : yield* error
    })
}

export const diskProbes: ReadonlyArray<Probe> = [loop, tmpfs, storageOpt]
