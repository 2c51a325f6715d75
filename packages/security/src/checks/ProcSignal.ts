/** The container's own first process has another number on the host; where that number can be signalled, host processes can. */
import { gateCheck } from "../internal/syscallGate.ts"
import { signalHostPid } from "../Probe.ts"

export const procSignal = gateCheck({
  id: "PROC-SIGNAL",
  category: "process",
  severity: "high",
  maps: { mitre: ["T1489"], cis: ["5.16"] },
  description: "Host pids do not exist inside.",
  sharedKernelOnly: true,
  gates: [{ probe: signalHostPid, gate: ["ESRCH"], open: ["EPERM"], absent: [] }],
  weakenings: ["hostPid"]
})
