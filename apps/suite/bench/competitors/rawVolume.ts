/**
 * The same volume made by bare tools: an ext4 image on a loop device, as a volume of the engine's local driver. Used by the
 * competitor's side only, so that neither side gets its disk for nothing.
 */
import type Docker from "dockerode"
import { execFile } from "node:child_process"
import { rm } from "node:fs/promises"
import { promisify } from "node:util"

const run = promisify(execFile)

/** Attaches one after the other: losetup's own retry after a lost race sleeps 200 ms. */
const script = `set -eu
PATH="$PATH:/usr/sbin:/sbin"
truncate -s "$2" "$1"
mkfs.ext4 -q -F -b 4096 -m 0 -N "$3" -O ^has_journal -E "root_owner=$4,lazy_itable_init=0,nodiscard" "$1"
exec flock "$5" losetup -f --show "$1"
`

export interface RawVolume {
  readonly name: string
  readonly image: string
  readonly device: string
}

export const create = async (
  docker: Docker,
  options: {
    readonly name: string
    readonly image: string
    readonly lock: string
    readonly bytes: number
    readonly inodes: number
    /** `uid:gid`. */
    readonly owner: string
    readonly labels: Record<string, string>
  }
): Promise<RawVolume> => {
  const { name, image, lock, bytes, inodes, owner, labels } = options
  const { stdout } = await run("sh", ["-c", script, "raw", image, String(bytes), String(inodes), owner, lock])
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
