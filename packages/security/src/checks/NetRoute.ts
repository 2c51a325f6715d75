/** No IPv4 route at all and no IPv6 route that leaves the loopback. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { text, textIfPresent } from "../Evidence.ts"
import { readText } from "../Probe.ts"

const ipv4 = readText("/proc/net/route")
const ipv6 = readText("/proc/net/ipv6_route")

export const netRoute: BoundaryCheck = {
  id: "NET-ROUTE",
  category: "network",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1048"], cis: [] },
  description: "No route leads out.",
  isolatedNetworkOnly: true,
  probes: [ipv4, ipv6],
  judge: judging(function* (evidence) {
    const [header, ...rows] = yield* text(evidence, ipv4)
    if (header?.startsWith("Iface") !== true) return notRun("/proc/net/route has no header")
    const leaving = ((yield* textIfPresent(evidence, ipv6)) ?? []).filter((row) => !/\slo$/.test(row.trimEnd()))
    const shown = [...rows.map((row) => row.split(/\s+/).slice(0, 3).join(" ")), ...leaving]
    return shown.length > 0 ? breached(shown.slice(0, 5).join("; ")) : held("no IPv4 route, IPv6 routes on lo only")
  }),
  weakenings: ["bridgeNetwork"]
}
