/** userfaultfd(2) lets user space stop the kernel in the middle of a copy; asked with invalid flags. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnUserfaultfd = gateCheck({
  id: "KRN-UFFD",
  category: "container",
  severity: "medium",
  maps: { mitre: ["T1068"], cis: [] },
  description: "userfaultfd, which widens kernel races, is refused.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("userfaultfd", [0x10000]), gate: ["EPERM"], open: ["EINVAL"], absent: ["ENOSYS"] }],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
