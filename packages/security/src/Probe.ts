/**
 * What to run inside a container, as data. Every probe is free of lasting effect even when the gate it touches is open:
 * invalid arguments, open without write, create and unlink at once, connect without payload.
 */
import type { SyscallName } from "./SyscallTable.ts"

/** `user`: the container's configured user. `root`: uid 0 through the engine's exec, the worst case after an escalation inside. */
export type Identity = "user" | "root"

/** A number, a NUL-terminated string, or a zeroed buffer of so many bytes whose first 8 are the little-endian `head`. */
export type SyscallArgument =
  | number
  | { readonly text: string }
  | { readonly bufferBytes: number; readonly head: number }

export type Probe = { readonly identity: Identity } & (
  | { readonly _tag: "ReadText"; readonly path: string }
  | { readonly _tag: "ReadLink"; readonly path: string }
  | { readonly _tag: "ListDirectory"; readonly path: string }
  /** O_WRONLY|O_APPEND|O_NONBLOCK without O_CREAT, closed at once; nothing is written. */
  | { readonly _tag: "OpenWrite"; readonly path: string }
  /** O_CREAT|O_EXCL of a nonce name, unlinked at once. */
  | { readonly _tag: "CreateFile"; readonly directory: string }
  | { readonly _tag: "Syscall"; readonly name: SyscallName; readonly args: ReadonlyArray<SyscallArgument> }
  | { readonly _tag: "OpenSocket"; readonly family: number; readonly type: number; readonly protocol: number }
  /** Non-blocking connect to an IPv4 address; UDP sends nothing, TCP at most one SYN. */
  | { readonly _tag: "Connect"; readonly transport: "tcp" | "udp"; readonly address: string; readonly port: number }
  /** kill(pid, 0) where pid is the container's first process as the engine's host numbers it. */
  | { readonly _tag: "SignalHostPid" }
)

type Body<T extends Probe["_tag"]> = Extract<Probe, { readonly _tag: T }>

export const readText = (path: string, identity: Identity = "user"): Body<"ReadText"> => ({
  _tag: "ReadText",
  identity,
  path
})
export const readLink = (path: string): Body<"ReadLink"> => ({ _tag: "ReadLink", identity: "user", path })
export const listDirectory = (path: string): Body<"ListDirectory"> => ({
  _tag: "ListDirectory",
  identity: "user",
  path
})
export const openWrite = (path: string): Body<"OpenWrite"> => ({ _tag: "OpenWrite", identity: "root", path })
export const createFile = (directory: string, identity: Identity): Body<"CreateFile"> => ({
  _tag: "CreateFile",
  identity,
  directory
})
export const syscall = (
  name: SyscallName,
  args: ReadonlyArray<SyscallArgument>,
  identity: Identity = "user"
): Body<"Syscall"> => ({ _tag: "Syscall", identity, name, args })
export const openSocket = (
  family: number,
  type: number,
  protocol: number,
  identity: Identity = "user"
): Body<"OpenSocket"> => ({ _tag: "OpenSocket", identity, family, type, protocol })
export const connect = (transport: "tcp" | "udp", address: string, port: number): Body<"Connect"> => ({
  _tag: "Connect",
  identity: "user",
  transport,
  address,
  port
})
export const signalHostPid: Body<"SignalHostPid"> = { _tag: "SignalHostPid", identity: "user" }

const argument = (value: SyscallArgument): string => {
  if (typeof value === "number") return String(value)
  return "text" in value ? `"${value.text}"` : `buffer(${value.bufferBytes}, ${value.head})`
}

const describe = (probe: Probe): string => {
  switch (probe._tag) {
    case "ReadText":
      return `read ${probe.path}`
    case "ReadLink":
      return `readlink ${probe.path}`
    case "ListDirectory":
      return `list ${probe.path}`
    case "OpenWrite":
      return `open-for-write ${probe.path}`
    case "CreateFile":
      return `create in ${probe.directory}`
    case "Syscall":
      return `${probe.name}(${probe.args.map(argument).join(", ")})`
    case "OpenSocket":
      return `socket(${probe.family}, ${probe.type}, ${probe.protocol})`
    case "Connect":
      return `connect ${probe.transport} ${probe.address}:${probe.port}`
    case "SignalHostPid":
      return "kill(<host pid of init>, 0)"
  }
}

/** Name of a probe in evidence and its identity: equal probes of many checks are run once. */
export const keyOf = (probe: Probe): string => `${probe.identity}: ${describe(probe)}`

/** The probes without repetition, in first-seen order. */
export const distinct = (probes: ReadonlyArray<Probe>): ReadonlyArray<Probe> => [
  ...new Map(probes.map((probe) => [keyOf(probe), probe] as const)).values()
]
