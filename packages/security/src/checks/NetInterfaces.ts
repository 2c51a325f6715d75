/** Without a declared network there is the loopback and nothing else; the kernel's dormant fallback tunnels do not count. */
import * as Result from "effect/Result"
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import type { Evidence, Reading } from "../Evidence.ts"
import { text } from "../Evidence.ts"
import { readText } from "../Probe.ts"

export const interfacesProbe = readText("/proc/net/dev")

const fallback = /^(tunl0|gre0|gretap0|erspan0|sit0|ip6tnl0|ip6gre0|ip_vti0|ip6_vti0)$/

/** Names of the interfaces in the container's network namespace; `NotRun` without a loopback. */
export const interfaces = (evidence: Evidence): Reading<ReadonlyArray<string>> =>
  Result.flatMap(text(evidence, interfacesProbe), (lines) => {
    const names = lines.flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.slice(1) ?? [])
    return names.includes("lo") ? Result.succeed(names) : Result.fail(notRun("/proc/net/dev shows no loopback"))
  })

export const netInterfaces: BoundaryCheck = {
  id: "NET-IFACES",
  category: "network",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1046"], cis: [] },
  description: "The loopback is the only network interface.",
  isolatedNetworkOnly: true,
  probes: [interfacesProbe],
  judge: judging(function* (evidence) {
    const others = (yield* interfaces(evidence)).filter((name) => name !== "lo" && !fallback.test(name))
    return others.length > 0 ? breached(others.join(", ")) : held("lo only")
  }),
  weakenings: ["bridgeNetwork", "hostNetwork"]
}
