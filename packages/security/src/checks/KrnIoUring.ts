/** io_uring runs operations that seccomp never sees; engines before 25.0 allowed it by default. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnIoUring = gateCheck({
  id: "KRN-IOURING",
  category: "container",
  severity: "high",
  maps: { mitre: ["T1068"], cis: [] },
  description: "io_uring, whose operations bypass the filter, is refused.",
  sharedKernelOnly: true,

  gates: [
    { probe: syscall("io_uring_setup", [0, 0]), gate: ["EPERM"], open: ["EFAULT", "EINVAL"], absent: ["ENOSYS"] }
  ],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
