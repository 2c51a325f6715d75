/**
 * Bytes to and from this machine's disks since boot: /proc/diskstats (kernel documentation: admin-guide/iostats), of those block
 * devices that have hardware, or a hypervisor, behind them. What lies on other devices (loop, RAID, mapper) is counted there once.
 */
import type { HostFiles } from "./hostFiles.ts"
import { isUnreadable } from "./hostFiles.ts"

/** The kernel counts in these whatever the disk's own sector size. */
const sectorBytes = 512

export const readDiskTraffic = (files: HostFiles) => {
  const text = files.read("/proc/diskstats")
  const disks = files.list("/sys/block")
  if (isUnreadable(text) || isUnreadable(disks)) return undefined
  const real = new Set(disks.names.filter((name) => !isUnreadable(files.stat(`/sys/block/${name}/device`))))
  const rows = text.split("\n").flatMap((line) => {
    const [, , name = "", , , read, , , , written] = line.trim().split(/ +/)
    return real.has(name) ? [{ read: Number(read), written: Number(written) }] : []
  })
  if (rows.length === 0) return undefined
  return {
    readBytes: rows.reduce((total, { read }) => total + read * sectorBytes, 0),
    writeBytes: rows.reduce((total, { written }) => total + written * sectorBytes, 0)
  }
}
