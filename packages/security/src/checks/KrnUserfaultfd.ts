/** userfaultfd(2) lets user space stop the kernel in the middle of a copy; asked with an invalid flag, and with
 * UFFD_USER_MODE_ONLY so that vm.unprivileged_userfaultfd=0 does not answer instead of the filter. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnUserfaultfd = gateCheck({
  id: "KRN-UFFD",
  category: "container",
  severity: "medium",
  maps: { mitre: ["T1068"], cis: [] },
  description: "userfaultfd, which widens kernel races, is refused.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("userfaultfd", [0x10001]), gate: ["EPERM"], open: ["EINVAL"], absent: ["ENOSYS"] }],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
