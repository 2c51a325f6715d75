/** 169.254.169.254 hands credentials to whoever asks; only the route is looked up, nothing is sent. */
import { gateCheck } from "../internal/syscallGate.ts"
import { connect } from "../Probe.ts"

export const netMetadata = gateCheck({
  id: "NET-METADATA",
  category: "network",
  severity: "critical",
  maps: { mitre: ["T1552.005"], cis: [] },
  description: "The cloud's metadata address has no route.",
  isolatedNetworkOnly: true,

  gates: [
    {
      probe: connect("udp", "169.254.169.254", 80),
      gate: ["ENETUNREACH"],
      open: ["EHOSTUNREACH", "EACCES"],
      absent: []
    }
  ],
  weakenings: ["bridgeNetwork"]
})
