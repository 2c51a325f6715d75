/** A raw ICMP socket: the tool of spoofing on a shared bridge; Docker's default capabilities allow it. */
import { gateCheck } from "../internal/syscallGate.ts"
import { openSocket } from "../Probe.ts"

export const netRawSocket = gateCheck({
  id: "NET-RAW",
  category: "network",
  severity: "medium",
  maps: { mitre: ["T1040", "T1557"], cis: ["5.4"] },
  description: "uid 0 inside cannot open raw sockets.",
  sharedKernelOnly: true,

  gates: [
    {
      probe: openSocket(2, 3, 1, "root"),
      gate: ["EPERM"],
      open: [],
      absent: ["EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"]
    }
  ],
  weakenings: ["capableRoot", "defaultCapabilitiesRoot"]
})
