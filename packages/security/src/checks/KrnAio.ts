/** fs.aio-max-nr is one counter for the whole host; no cgroup bounds it. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnAio = gateCheck({
  id: "KRN-AIO",
  category: "container",
  severity: "medium",
  maps: { mitre: ["T1499.001"], cis: [] },
  description: "io_setup is refused: the host-wide counter fs.aio-max-nr cannot be used up from inside.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("io_setup", [0, 0]), gate: ["EPERM"], open: ["EFAULT", "EINVAL"], absent: ["ENOSYS"] }],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
