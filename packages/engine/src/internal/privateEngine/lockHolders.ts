/** Who holds a lock file, as the kernel lists it. For messages; a listing is old as soon as it is made. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import * as Effect from "effect/Effect"

export interface LockHolder {
  readonly pid: number
  readonly command: string
}

const orElse = <A>(look: () => A, otherwise: A): A => {
  try {
    return look()
  } catch {
    return otherwise
  }
}

/** `lock:` lines are there for descriptors that hold one (proc_pid_fdinfo(5)); a waiting process has none. */
const holds = (pid: number, fd: string, file: string): boolean =>
  orElse(() => readlinkSync(`/proc/${pid}/fd/${fd}`) === file, false) &&
  orElse(() => /^lock:/m.test(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1")), false)

/** Without the program's folder: the arguments tell more. */
const commandOf = (pid: number): string =>
  orElse(() => {
    const line = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim()
    return line.replace(/^\S*\//, "").slice(0, 200)
  }, "")

const parentOf = (pid: number): number =>
  orElse(() => Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0), 0)

/** Processes with a held lock on the file, which is given by its real path. */
export const lockHolders = (file: string): Effect.Effect<ReadonlyArray<LockHolder>> =>
  Effect.sync(() =>
    readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid))
      .filter((pid) => orElse(() => readdirSync(`/proc/${pid}/fd`), []).some((fd) => holds(pid, fd, file)))
      .map((pid) => ({ pid, command: commandOf(pid) }))
  )

/** As {@link lockHolders}, but the clients behind the children that `holdLock` starts: those say nothing to a reader. */
export const lockClients = (file: string): Effect.Effect<ReadonlyArray<LockHolder>> =>
  Effect.map(lockHolders(file), (holders) => {
    const clients = holders.map((holder) => {
      const parent = holder.command === "cat" ? parentOf(holder.pid) : 0
      return parent > 1 ? { pid: parent, command: commandOf(parent) } : holder
    })
    return [...new Map(clients.map((client) => [client.pid, client])).values()]
  })
