/** A new user namespace is where unprivileged kernel attacks start (CVE-2022-0492); unshare(0) asks without making one. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnUsernsCreate = gateCheck({
  id: "KRN-USERNS-CREATE",
  category: "privilege",
  severity: "critical",
  maps: { mitre: ["T1611", "T1068"], cis: [] },
  description: "No new namespaces: unshare is refused before it looks at its flags.",
  sharedKernelOnly: true,

  gates: [{ probe: syscall("unshare", [0]), gate: ["EPERM"], open: [], absent: ["ENOSYS"] }],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
