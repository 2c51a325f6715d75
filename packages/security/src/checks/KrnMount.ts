/** mount(2) checks the privilege before it looks for the file system; asked for one that no kernel has. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnMount = gateCheck({
  id: "KRN-MOUNT",
  category: "privilege",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: [] },
  description: "uid 0 inside cannot mount.",
  sharedKernelOnly: true,

  gates: [
    {
      probe: syscall("mount", [{ text: "none" }, { text: "/" }, { text: "sbxnofs" }, 0, 0], "root"),
      gate: ["EPERM"],
      open: ["ENODEV"],
      absent: ["ENOSYS"]
    }
  ],
  weakenings: ["capableRoot"]
})
