/** seccomp cannot read clone3's flags, which lie in memory; EPERM would break glibc, so the gate's errno is ENOSYS. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnClone3 = gateCheck({
  id: "KRN-CLONE3",
  category: "container",
  severity: "medium",
  maps: { mitre: ["T1611"], cis: [] },
  description: "clone3 hides its flags from the filter, so it is answered ENOSYS and libc falls back to clone.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("clone3", [0, 0]), gate: ["ENOSYS"], open: ["EINVAL", "EFAULT"], absent: [] }],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
