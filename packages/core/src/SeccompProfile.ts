/**
 * The sandbox's own system-call filter: an allow-list as data, each group with its reason, and its rendering to the engine's JSON.
 * Everything not listed fails with EPERM, so that programs see an ordinary refusal; clone3 fails with ENOSYS, so that libc
 * falls back to clone, whose flags a filter can see. 32-bit and x32 entry points are not listed: they would bring
 * `socketcall`, which hides a socket's family from the filter, for programs that no image has; using them kills the process.
 */
import * as Schema from "effect/Schema"
import { allowed, refused, type SyscallGroup } from "./internal/syscalls.ts"

export type { SyscallGroup }
export { allowed, refused }

const Comparison = Schema.Literals(["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"])

const Rule = Schema.Struct({
  names: Schema.Array(Schema.String),
  action: Schema.Literals(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"]),
  errnoRet: Schema.optionalKey(Schema.Int),
  /** All must hold. For `MASKED_EQ`, `value` is the mask and `valueTwo` what must remain. */
  args: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ index: Schema.Int, value: Schema.Int, valueTwo: Schema.optionalKey(Schema.Int), op: Comparison })
    )
  ),
  comment: Schema.optionalKey(Schema.String)
})
type Rule = typeof Rule.Type

/** The engine's format of a profile (moby `seccomp.Seccomp`); only the fields that we use. */
export const SeccompProfile = Schema.Struct({
  defaultAction: Schema.Literal("SCMP_ACT_ERRNO"),
  archMap: Schema.Array(Schema.Struct({ architecture: Schema.String, subArchitectures: Schema.Array(Schema.String) })),
  syscalls: Schema.Array(Rule)
})
export type SeccompProfile = typeof SeccompProfile.Type

/** Errno of a call that the kernel does not have, the same number on all architectures here. */
const ENOSYS = 38

/** `CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}` of clone(2). */
const namespaceFlags = 0x7e02_0000

/** Families a program may open, `AF_*` of socket(2); refused are VSOCK (the hypervisor), ALG, PACKET, KEY and all others. */
const families = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 } as const

/** Protocol 0 of AF_NETLINK, for getifaddrs(3); the other protocols are kernel attack surface. */
const NETLINK_ROUTE = 0

/** `S_IFMT`, and the types that mknod(2) may make: regular, fifo, socket. Devices are refused. */
const fileTypes = { mask: 0o17_0000, kinds: [0, 0o10_0000, 0o01_0000, 0o14_0000] } as const

/** personality(2): the default, and the value that only asks. Turning off address randomisation is refused. */
const personas = [0, 0xffff_ffff] as const

const allow = (names: ReadonlyArray<string>, args?: Rule["args"], comment?: string): Rule => ({
  names,
  action: "SCMP_ACT_ALLOW",
  ...(args === undefined ? {} : { args }),
  ...(comment === undefined ? {} : { comment })
})

const equals = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" }) as const

const masked = (index: number, mask: number, value: number) =>
  ({ index, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" }) as const

const filtered: ReadonlyArray<Rule> = [
  allow(["clone"], [masked(0, namespaceFlags, 0)], "without new namespaces"),
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS, comment: "its flags are out of a filter's sight" },
  allow(["socket"], [equals(0, families.AF_UNIX)], "AF_UNIX"),
  allow(["socket"], [equals(0, families.AF_INET)], "AF_INET"),
  allow(["socket"], [equals(0, families.AF_INET6)], "AF_INET6"),
  allow(["socket"], [equals(0, families.AF_NETLINK), equals(2, NETLINK_ROUTE)], "AF_NETLINK, NETLINK_ROUTE"),
  allow(["socketpair"], [equals(0, families.AF_UNIX)], "AF_UNIX"),
  ...fileTypes.kinds.flatMap((kind) => [
    allow(["mknod"], [masked(1, fileTypes.mask, kind)], "no devices"),
    allow(["mknodat"], [masked(2, fileTypes.mask, kind)], "no devices")
  ]),
  ...personas.map((persona) => allow(["personality"], [equals(0, persona)]))
]

/** The profile of every hardened sandbox. */
export const hardened: SeccompProfile = {
  defaultAction: "SCMP_ACT_ERRNO",
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: [] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: [] }
  ],
  syscalls: [...allowed.map((group) => allow(group.names, undefined, group.purpose)), ...filtered]
}

const encode = Schema.encodeSync(Schema.fromJsonString(SeccompProfile))

/** The text that the engine takes after `seccomp=`. */
export const toJson = (profile: SeccompProfile): string => encode(profile)

/** {@link hardened} as the engine takes it. */
export const hardenedJson: string = toJson(hardened)
