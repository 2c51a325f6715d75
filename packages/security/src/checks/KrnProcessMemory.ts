/** The siblings of ptrace(2); engines since 23.0 allow process_vm_readv by default. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnProcessMemory = gateCheck({
  id: "KRN-PTRACE-EXT",
  category: "process",
  severity: "medium",
  maps: { mitre: ["T1055.008"], cis: [] },
  description: "Other processes' memory and descriptors are out of reach, even of one's own processes.",
  sharedKernelOnly: true,
  atLeast: 2,
  gates: [
    { probe: syscall("kcmp", [1, 1, 99, 0, 0]), gate: ["EPERM"], open: ["EINVAL", "ESRCH"], absent: ["ENOSYS"] },
    { probe: syscall("pidfd_getfd", [-1, -1, 0]), gate: ["EPERM"], open: ["EBADF"], absent: ["ENOSYS"] },
    { probe: syscall("process_vm_readv", [0, 0, 0, 0, 0, 0]), gate: ["EPERM"], open: ["ESRCH"], absent: ["ENOSYS"] }
  ],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
