/**
 * Files that are read again and again over one life of a container: their descriptors stay open, so that a reading costs one system call
 * instead of three. Bounded in number and in idleness; beyond the bounds files are opened and closed as any other, nothing else changes.
 */
import type { Descriptor, HostFiles, Unreadable } from "./hostFiles.ts"
import { isUnreadable } from "./hostFiles.ts"

/**
 * The files of one life. Only for files that the kernel writes anew for every read at their beginning, and that pin nothing: not for
 * version 1 `cgroup.procs` and `tasks`, whose list is shared and lives on while it is read (kernel/cgroup/cgroup-v1.c, pidlist), and not
 * for `/proc/<pid>/net/dev`, which holds the network namespace while it is open (fs/proc/proc_net.c).
 */
export interface LifeFiles {
  /** Says that a reading begins, at this time of the monotonic clock. */
  readonly begin: (nowNanos: bigint) => void
  /** As `HostFiles.read`, of `<directory>/<name>`. */
  readonly read: (directory: string, name: string) => string | Unreadable
  /** The life has ended: closes its descriptors, for good. */
  readonly close: () => void
}

export interface Keeper {
  readonly life: () => LifeFiles
  /** Closes every descriptor, for good. */
  readonly close: () => void
}

/** A life that nobody reads any more gives its place away after this long; looked for as often. */
const idleNanos = 30_000_000_000n

/** Descriptors of one life at most: nine files of version 1, ten of version 2. */
const filesPerLife = 10

/** How many lives may be kept open where nobody says: not more than a quarter of what this process may open. */
export const defaultLives = (files: HostFiles): number => {
  const limits = files.read("/proc/self/limits")
  const soft = isUnreadable(limits) ? undefined : /^Max open files +(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? mostLives : Math.min(mostLives, Math.floor(Number(soft) / 4 / filesPerLife))
}

const mostLives = 256

/** Descriptors by directory and name: both are strings that stay the same, so that none is put together for a reading. */
type Held = Map<string, Map<string, Descriptor>>

/** Keeps the files of up to `lives` lives open. */
export const makeKeeper = (files: HostFiles, lives: number): Keeper => {
  const holders = new Map<Held, { lastNanos: bigint }>()
  let isClosed = false
  let sweptNanos = 0n
  const release = (held: Held) => {
    holders.delete(held)
    for (const inside of held.values()) for (const descriptor of inside.values()) descriptor.close()
    held.clear()
  }
  const sweep = (nowNanos: bigint) => {
    if (nowNanos - sweptNanos < idleNanos) return
    sweptNanos = nowNanos
    for (const [held, { lastNanos }] of holders) if (nowNanos - lastNanos >= idleNanos) release(held)
  }
  const life = (): LifeFiles => {
    const held: Held = new Map()
    let hasEnded = false
    return {
      begin: (nowNanos) => {
        const holder = holders.get(held)
        if (holder !== undefined) holder.lastNanos = nowNanos
        sweep(nowNanos)
        if (holder === undefined && !hasEnded && !isClosed && holders.size < lives)
          holders.set(held, { lastNanos: nowNanos })
      },
      read: (directory, name) =>
        holders.has(held) ? readKept(files, held, directory, name) : files.read(`${directory}/${name}`),
      close: () => {
        hasEnded = true
        release(held)
      }
    }
  }
  return {
    life,
    close: () => {
      isClosed = true
      for (const held of holders.keys()) release(held)
    }
  }
}

const insideOf = (held: Held, directory: string): Map<string, Descriptor> => {
  const known = held.get(directory)
  if (known !== undefined) return known
  const inside = new Map<string, Descriptor>()
  held.set(directory, inside)
  return inside
}

/** A descriptor that fails is given up for what is at the path now, which has the last word. */
const readKept = (files: HostFiles, held: Held, directory: string, name: string): string | Unreadable => {
  const inside = insideOf(held, directory)
  const kept = inside.get(name)
  if (kept !== undefined) {
    const text = kept.read()
    if (!isUnreadable(text)) return text
    kept.close()
    inside.delete(name)
  }
  const opened = files.open(`${directory}/${name}`)
  if (isUnreadable(opened)) return opened
  const text = opened.read()
  if (isUnreadable(text)) opened.close()
  else inside.set(name, opened)
  return text
}
