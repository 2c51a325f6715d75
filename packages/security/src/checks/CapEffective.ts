/** What a process inside holds now: permitted, effective, inheritable (CVE-2022-24769) and ambient sets, for the user and for uid 0. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { capabilitySet, rootStatus, selfStatus, show } from "../internal/processStatus.ts"

const sets = ["CapEff", "CapPrm", "CapInh", "CapAmb"] as const

export const capEffective: BoundaryCheck = {
  id: "CAP-EFFECTIVE",
  category: "privilege",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: ["5.4"] },
  description: "Neither the user nor uid 0 holds a capability.",
  probes: [selfStatus, rootStatus],
  judge: judging(function* (evidence) {
    for (const status of [selfStatus, rootStatus]) {
      for (const name of sets) {
        const set = yield* capabilitySet(evidence, status, name)
        if (set !== 0n) return breached(show(status, name, set.toString(16)))
      }
    }
    return held(`${sets.join(", ")} are 0 for the user and for uid 0`)
  }),
  weakenings: ["capableRoot", "defaultCapabilitiesRoot"]
}
