/** bpf(2) with a bogus command: EPERM from the filter, EINVAL from a kernel that would talk to us. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnBpf = gateCheck({
  id: "KRN-BPF",
  category: "container",
  severity: "high",
  maps: { mitre: ["T1068", "T1014"], cis: [] },
  description: "bpf is refused before it looks at its command.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("bpf", [999, 0, 0]), gate: ["EPERM"], open: ["EINVAL", "EFAULT"], absent: ["ENOSYS"] }],
  weakenings: ["seccompUnconfined", "capableRoot"]
})
