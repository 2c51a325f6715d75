/** A filter in mode 2 may still allow everything: eight calls without effect, none of which needs a capability, show what it does. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnSeccompEffect = gateCheck({
  id: "KRN-SECCOMP-EFFECT",
  category: "container",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: ["5.22"] },
  description: "Harmless calls outside the profile are refused by the filter itself.",
  sharedKernelOnly: true,
  atLeast: 6,
  gates: [
    { probe: syscall("unshare", [0]), gate: ["EPERM"], open: [], absent: ["ENOSYS"] },
    { probe: syscall("setns", [-1, 0]), gate: ["EPERM"], open: ["EBADF"], absent: ["ENOSYS"] },
    { probe: syscall("get_mempolicy", [0, 0, 0, 0, 0]), gate: ["EPERM"], open: [], absent: ["ENOSYS"] },
    { probe: syscall("move_pages", [0, 0, 0, 0, 0, 0]), gate: ["EPERM"], open: ["EINVAL"], absent: ["ENOSYS"] },
    { probe: syscall("kcmp", [1, 1, 99, 0, 0]), gate: ["EPERM"], open: ["EINVAL", "ESRCH"], absent: ["ENOSYS"] },
    { probe: syscall("personality", [0x0040000]), gate: ["EPERM"], open: [], absent: ["ENOSYS"] },
    { probe: syscall("pidfd_getfd", [-1, -1, 0]), gate: ["EPERM"], open: ["EBADF"], absent: ["ENOSYS"] },
    { probe: syscall("open_tree", [-1, 0, 0xffff]), gate: ["EPERM"], open: ["EINVAL"], absent: ["ENOSYS"] }
  ],
  weakenings: ["seccompAllowAll", "seccompUnconfined"]
})
