/** reboot(2) checks CAP_SYS_BOOT before its magic numbers; asked with wrong ones. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnReboot = gateCheck({
  id: "KRN-REBOOT",
  category: "privilege",
  severity: "critical",
  maps: { mitre: ["T1485"], cis: [] },
  description: "uid 0 inside cannot reboot.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("reboot", [0, 0, 0, 0], "root"), gate: ["EPERM"], open: ["EINVAL"], absent: ["ENOSYS"] }],
  weakenings: ["capableRoot"]
})
