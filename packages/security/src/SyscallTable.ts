/**
 * System call numbers per architecture (Linux arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h).
 * Holds only calls that probes make; refuses architectures other than x86_64 and aarch64.
 */
export type Architecture = "x86_64" | "aarch64"

/** `[x86_64, aarch64]` */
const table = {
  add_key: [248, 217],
  adjtimex: [159, 171],
  bpf: [321, 280],
  chroot: [161, 51],
  clone3: [435, 435],
  close: [3, 57],
  delete_module: [176, 106],
  get_mempolicy: [239, 236],
  getpid: [39, 172],
  io_setup: [206, 0],
  io_uring_setup: [425, 425],
  kcmp: [312, 272],
  keyctl: [250, 219],
  mount: [165, 40],
  move_pages: [279, 239],
  open_by_handle_at: [304, 265],
  open_tree: [428, 428],
  perf_event_open: [298, 241],
  personality: [135, 92],
  pidfd_getfd: [438, 438],
  process_vm_readv: [310, 270],
  reboot: [169, 142],
  request_key: [249, 218],
  setns: [308, 268],
  unshare: [272, 97],
  userfaultfd: [323, 282]
} as const satisfies Record<string, readonly [number, number]>

export type SyscallName = keyof typeof table

export const syscallNames: ReadonlyArray<SyscallName> = Object.keys(table).filter(
  (name): name is SyscallName => name in table
)

/** The call's number on the architecture. */
export const numberOf = (name: SyscallName, architecture: Architecture): number =>
  table[name][architecture === "x86_64" ? 0 : 1]

/** The engine's spelling of an architecture (`docker info`), or undefined when probes cannot make system calls there. */
export const architectureOf = (engineSpelling: string): Architecture | undefined => {
  switch (engineSpelling.toLowerCase()) {
    case "x86_64":
    case "amd64":
      return "x86_64"
    case "aarch64":
    case "arm64":
      return "aarch64"
    default:
      return undefined
  }
}
