/** chroot to the root one already has: without effect where it is allowed. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const capChroot = gateCheck({
  id: "CAP-CHROOT",
  category: "privilege",
  severity: "low",
  maps: { mitre: ["T1611"], cis: ["5.4"] },
  description: "uid 0 inside has no capability to chroot.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("chroot", [{ text: "/" }], "root"), gate: ["EPERM"], open: [], absent: ["ENOSYS"] }],
  weakenings: ["capableRoot"]
})
