/**
 * The same volume made by bare tools: an ext4 image on a loop device, as a volume of the engine's local driver. Used by the
 * competitor's side only, so that neither side gets its disk for nothing.
 */
import type Docker from "dockerode"
import { execFile } from "node:child_process"
import { rm } from "node:fs/promises"
import { promisify } from "node:util"

const run = promisify(execFile)

const formatScript = `set -eu
PATH="$PATH:/usr/sbin:/sbin"
truncate -s "$2" "$1"
exec mkfs.ext4 -q -F -b 4096 -m 0 -N "$3" -O ^has_journal -E "root_owner=$4,lazy_itable_init=0,nodiscard" "$1"
`

/** Attaches one after the other: losetup's own retry after a lost race sleeps 200 ms. */
const attachScript = `set -eu
PATH="$PATH:/usr/sbin:/sbin"
cp --sparse=always "$1" "$2"
exec flock "$3" losetup -f --show "$2"
`

export interface RawVolume {
  readonly name: string
  readonly image: string
  readonly device: string
}

/** Formats an image once; {@link create} copies it, since ours does not format each of its own either. */
export const format = async (options: {
  readonly template: string
  readonly bytes: number
  readonly inodes: number
  /** `uid:gid`. */
  readonly owner: string
}): Promise<void> => {
  const { template, bytes, inodes, owner } = options
  await run("sh", ["-c", formatScript, "raw", template, String(bytes), String(inodes), owner])
}

export const create = async (
  docker: Docker,
  options: {
    readonly name: string
    readonly image: string
    readonly lock: string
    readonly template: string
    readonly labels: Record<string, string>
  }
): Promise<RawVolume> => {
  const { name, image, lock, template, labels } = options
  const { stdout } = await run("sh", ["-c", attachScript, "raw", template, image, lock])
  const device = stdout.trim()
  const driver = { type: "ext4", device, o: "nosuid,nodev" }
  await docker.createVolume({ Name: name, Driver: "local", DriverOpts: driver, Labels: labels })
  return { name, image, device }
}

export const remove = async (docker: Docker, volume: RawVolume): Promise<void> => {
  await docker.getVolume(volume.name).remove()
  await run("sh", ["-c", 'PATH="$PATH:/usr/sbin:/sbin" losetup -d "$1"', "raw", volume.device])
  await rm(volume.image, { force: true })
}
