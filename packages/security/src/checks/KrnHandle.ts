/** open_by_handle_at(2) reads any file of the host's disk once CAP_DAC_READ_SEARCH is there. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnHandle = gateCheck({
  id: "KRN-HANDLE",
  category: "filesystem",
  severity: "high",
  maps: { mitre: ["T1611"], cis: [] },
  description: "Files cannot be opened by handle, past every mount boundary.",
  sharedKernelOnly: true,

  gates: [
    {
      probe: syscall("open_by_handle_at", [-1, 0, 0], "root"),
      gate: ["EPERM"],
      open: ["EFAULT", "EBADF"],
      absent: ["ENOSYS"]
    }
  ],
  weakenings: ["capableRoot"]
})
