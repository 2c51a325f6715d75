/**
 * What the texts of cgroup files and of /proc say (kernel documentation: admin-guide/cgroup-v1, admin-guide/cgroup-v2, proc(5)).
 * Pure. A number that is none is NaN, a field that is not there is absent; neither is ever zero.
 */

/** A file that holds one number. `max`, and v1's largest page-aligned number, are no limit: infinite. */
export const number = (text: string): number => {
  const trimmed = text.trim()
  if (trimmed === "max") return Number.POSITIVE_INFINITY
  const value = /^-?\d+$/.test(trimmed) ? Number(trimmed) : Number.NaN
  return value >= unlimited ? Number.POSITIVE_INFINITY : value
}

const unlimited = 2 ** 62

/** The number behind `name` in a file of `<name> <number>` lines. */
export const field = (text: string, name: string): number | undefined => {
  const line = `${name} `
  const start = text.startsWith(line) ? 0 : text.indexOf(`\n${line}`) + 1
  if (start === 0 && !text.startsWith(line)) return undefined
  const end = text.indexOf("\n", start)
  return number(text.slice(start + line.length, end < 0 ? undefined : end))
}

/** v2 `cpu.max`: `<quota|max> <period>`, in cores. */
export const coresOfMax = (text: string): number => {
  const [quota, period] = text.trim().split(" ")
  return number(quota ?? "") / number(period ?? "")
}

/** v1 `cpu.cfs_quota_us` and `cpu.cfs_period_us`; -1 is no limit. */
export const coresOfQuota = (quota: string, period: string): number =>
  number(quota) < 0 ? Number.POSITIVE_INFINITY : number(quota) / number(period)

export interface BlockIo {
  readonly readBytes: number
  readonly writeBytes: number
}

/** v1 `blkio.throttle.io_service_bytes`: `<device> <operation> <bytes>`. Absent without a device: the kernel counted nothing. */
export const blockIoV1 = (text: string): BlockIo | undefined => {
  const lines = text.split("\n").map((line) => line.split(" "))
  const sum = (operation: string) =>
    lines.reduce((total, [, name, bytes]) => (name === operation ? total + number(bytes ?? "") : total), 0)
  return lines.some((line) => line.length === 3) ? { readBytes: sum("Read"), writeBytes: sum("Write") } : undefined
}

/** v2 `io.stat`: `<device> rbytes=<n> wbytes=<n> …`. Absent without a device. */
export const blockIoV2 = (text: string): BlockIo | undefined => {
  const sum = (key: string) =>
    [...text.matchAll(new RegExp(` ${key}=(\\S+)`, "g"))].reduce((total, [, bytes]) => total + number(bytes ?? ""), 0)
  return /^\d+:\d+ .*bytes=/m.test(text) ? { readBytes: sum("rbytes"), writeBytes: sum("wbytes") } : undefined
}

/** `/proc/<pid>/net/dev`: interfaces other than the loopback. Absent when there is none, as in a container without a network. */
export const interfaces = (text: string) => {
  const found = text.split("\n").flatMap((line) => {
    const colon = line.indexOf(":")
    const name = line.slice(0, colon).trim()
    if (colon < 0 || name === "lo" || name === "") return []
    const counters = line
      .slice(colon + 1)
      .trim()
      .split(/ +/)
    return [{ name, rxBytes: number(counters[0] ?? ""), txBytes: number(counters[8] ?? "") }]
  })
  return found.length === 0 ? undefined : found
}

/** Ids in `cgroup.procs` or `tasks`, which may name one twice (v1). */
export const ids = (text: string): ReadonlySet<number> =>
  new Set(text.split("\n").flatMap((line) => (line === "" ? [] : [number(line)])))

export interface ProcessIdentity {
  readonly parent: number
  /** Clock ticks since boot; tells a process from a later one with the same pid. */
  readonly startTime: string
}

/** proc(5) stat: the command may hold spaces and parentheses. A zombie is dead. */
export const identity = (stat: string): ProcessIdentity | undefined => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const [state, parent] = fields
  const startTime = fields[19]
  if (state === "Z" || state === "X" || parent === undefined || startTime === undefined) return undefined
  return { parent: Number(parent), startTime }
}
