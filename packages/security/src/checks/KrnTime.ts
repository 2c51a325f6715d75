/** The clock is not namespaced. ADJ_TICK with tick 0 is refused as EINVAL only after the privilege check. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnTime = gateCheck({
  id: "KRN-TIME",
  category: "privilege",
  severity: "high",
  maps: { mitre: ["T1499"], cis: [] },
  description: "uid 0 inside cannot set the host's clock.",
  sharedKernelOnly: true,

  gates: [
    {
      probe: syscall("adjtimex", [{ bufferBytes: 256, head: 0x4000 }], "root"),
      gate: ["EPERM"],
      open: ["EINVAL"],
      absent: ["ENOSYS"]
    }
  ],
  weakenings: ["capableRoot"]
})
