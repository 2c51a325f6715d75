/** perf_event_open(2) without attributes; EACCES is kernel.perf_event_paranoid speaking, not the filter. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnPerf = gateCheck({
  id: "KRN-PERF",
  category: "container",
  severity: "medium",
  maps: { mitre: ["T1068", "T1082"], cis: [] },
  description: "perf_event_open is refused.",
  sharedKernelOnly: true,

  gates: [
    {
      probe: syscall("perf_event_open", [0, 0, -1, -1, 0]),
      gate: ["EPERM"],
      open: ["EFAULT", "EINVAL"],
      absent: ["ENOSYS", "EACCES"]
    }
  ],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
