/** Where the engine remaps user namespaces, uid 0 inside must not be uid 0 of the host (user_namespaces(7), uid_map). */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notApplicable } from "../CheckVerdict.ts"
import { line } from "../Evidence.ts"
import { readText } from "../Probe.ts"

const map = readText("/proc/self/uid_map")

export const nsUser: BoundaryCheck = {
  id: "NS-USER",
  category: "privilege",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1611"], cis: ["2.9", "5.31"] },
  description: "uid 0 inside is not uid 0 of the host, where the engine offers that.",
  sharedKernelOnly: true,
  probes: [map],
  judge: judging(function* (evidence, expected) {
    const first = (yield* line(evidence, map)).trim()
    const identity = /^0\s+0\s+/.test(first)
    if (!expected.usernsRemapped && identity) return notApplicable(`the engine does not remap; uid_map ${first}`)
    return identity ? breached(`uid_map ${first}`) : held(`uid_map ${first}`)
  }),
  weakenings: ["hostUserns"]
}
