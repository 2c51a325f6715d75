/**
 * Who made an object: a process that cannot be confused with another, as a label. Process ids are reused, so the start time
 * belongs to it; they are per pid namespace and per boot, so those do too. Refuses to call a process of another host dead.
 */
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Schema from "effect/Schema"

/** A process as Linux knows it; `startTicks` is field 22 of /proc/<pid>/stat, proc(5). */
export interface Owner {
  /** /proc/sys/kernel/random/boot_id. */
  readonly bootId: string
  /** Inode of the pid namespace, e.g. `4026531836`. */
  readonly pidNamespace: string
  readonly pid: number
  readonly startTicks: string
}

/** `unknown-other-host`: another boot, host or pid namespace, or no /proc: not ours to judge. */
export type Liveness = "alive" | "dead" | "unknown-other-host"

/** This system does not say who we are (no /proc, as on macOS, where objects are then reaped by their deadline only). */
export class OwnerUnknown extends Schema.TaggedError<OwnerUnknown>()("OwnerUnknown", { detail: Schema.String }) {
  override get message() {
    return `Could not tell this process's identity: ${this.detail}.\nMount /proc, or run on Linux.`
  }
}

/** Label value, e.g. `1b2c…/4026531836/4711/123456`. */
export const toLabel = (owner: Owner): string =>
  [owner.bootId, owner.pidNamespace, owner.pid, owner.startTicks].join("/")

const pattern = /^([0-9a-f-]{36})\/(\d+)\/(\d+)\/(\d+)$/

/** Nothing when the text is not a label of ours. */
export const fromLabel = (label: string): Owner | undefined => {
  const [, bootId, pidNamespace, pid, startTicks] = pattern.exec(label) ?? []
  return bootId === undefined || pidNamespace === undefined || pid === undefined || startTicks === undefined
    ? undefined
    : { bootId, pidNamespace, pid: Number(pid), startTicks }
}

/** The process that runs this. */
export const current: Effect.Effect<Owner, OwnerUnknown, FileSystem> = Effect.gen(function* () {
  const host = yield* hostIdentity
  const stat = yield* readStat("self")
  if (stat === undefined) return yield* new OwnerUnknown({ detail: "/proc/self/stat is not readable" })
  return { ...host, pid: stat.pid, startTicks: stat.startTicks }
}).pipe(Effect.mapError((error) => new OwnerUnknown({ detail: error.message })))

/** Whether that process still runs; a zombie is dead. */
export const liveness = Effect.fnUntraced(function* (owner: Owner): Effect.fn.Return<Liveness, never, FileSystem> {
  const host = yield* Effect.option(hostIdentity)
  if (host._tag === "None") return "unknown-other-host"
  const { bootId, pidNamespace } = host.value
  if (bootId !== owner.bootId || pidNamespace !== owner.pidNamespace) return "unknown-other-host"
  const stat = yield* readStat(String(owner.pid))
  const runs = stat !== undefined && stat.startTicks === owner.startTicks && stat.state !== "Z" && stat.state !== "X"
  return runs ? "alive" : "dead"
})

const hostIdentity = Effect.gen(function* () {
  const fs = yield* FileSystem
  const bootId = yield* fs.readFileString("/proc/sys/kernel/random/boot_id")
  const namespace = yield* fs.readLink("/proc/self/ns/pid")
  return { bootId: bootId.trim(), pidNamespace: namespace.replace(/\D/g, "") }
})

/** Nothing when there is no such process. */
const readStat = (pid: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem
    return parseStat(yield* fs.readFileString(`/proc/${pid}/stat`))
  }).pipe(Effect.orElseSucceed(() => undefined))

/** The command name, field 2, may contain spaces and parentheses: fields are counted from its last one. */
export const parseStat = (
  text: string
): { readonly pid: number; readonly state: string; readonly startTicks: string } | undefined => {
  const end = text.lastIndexOf(")")
  const fields = text.slice(end + 2).split(" ")
  const state = fields[0]
  const startTicks = fields[19]
  return end < 0 || state === undefined || startTicks === undefined
    ? undefined
    : { pid: Number.parseInt(text, 10), state, startTicks }
}
