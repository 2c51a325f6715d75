/** delete_module(2) checks CAP_SYS_MODULE before it reads the name; asked without a name. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnModule = gateCheck({
  id: "KRN-MODULE",
  category: "privilege",
  severity: "critical",
  maps: { mitre: ["T1547.006"], cis: [] },
  description: "uid 0 inside cannot touch kernel modules.",
  sharedKernelOnly: true,

  gates: [
    { probe: syscall("delete_module", [0, 0], "root"), gate: ["EPERM"], open: ["EFAULT", "ENOENT"], absent: ["ENOSYS"] }
  ],
  weakenings: ["capableRoot"]
})
