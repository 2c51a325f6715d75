/** TEST-NET-1 (RFC 5737): ENETUNREACH at once means no route; anything that starts to connect means there is one. */
import { gateCheck } from "../internal/syscallGate.ts"
import { connect } from "../Probe.ts"

export const netEgressTcp = gateCheck({
  id: "NET-EGRESS-TCP",
  category: "network",
  severity: "high",
  maps: { mitre: ["T1041", "T1048"], cis: [] },
  description: "A TCP connection outwards fails for want of a route.",
  isolatedNetworkOnly: true,

  gates: [
    {
      probe: connect("tcp", "192.0.2.1", 9),
      gate: ["ENETUNREACH"],
      open: ["EINPROGRESS", "ECONNREFUSED", "EHOSTUNREACH"],
      absent: []
    }
  ],
  weakenings: ["bridgeNetwork"]
})
