/** Connecting a datagram socket looks the route up and sends nothing. */
import { gateCheck } from "../internal/syscallGate.ts"
import { connect } from "../Probe.ts"

export const netEgressUdp = gateCheck({
  id: "NET-EGRESS-UDP",
  category: "network",
  severity: "medium",
  maps: { mitre: ["T1048", "T1071.004"], cis: [] },
  description: "A UDP destination outwards has no route.",
  isolatedNetworkOnly: true,

  gates: [
    { probe: connect("udp", "192.0.2.1", 53), gate: ["ENETUNREACH"], open: ["EHOSTUNREACH", "EACCES"], absent: [] }
  ],
  weakenings: ["bridgeNetwork"]
})
