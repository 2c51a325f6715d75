/** The bounding set limits what any exec inside can ever gain; a single added capability shows nowhere else for a plain user. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { capabilitySet, firstStatus, rootStatus, selfStatus, show } from "../internal/processStatus.ts"
import { hostPidNamespace, pidNamespace } from "./NsPid.ts"

const statuses = [selfStatus, rootStatus, firstStatus]

export const capBounding: BoundaryCheck = {
  id: "CAP-BOUNDING",
  category: "privilege",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1611"], cis: ["5.4"] },
  description: "No capability can be gained: the bounding set is empty.",
  probes: [...statuses, pidNamespace],
  judge: judging(function* (evidence) {
    const foreign = yield* hostPidNamespace(evidence)
    const shown: Array<string> = []
    for (const status of statuses) {
      if (status === firstStatus && foreign) continue
      const set = yield* capabilitySet(evidence, status, "CapBnd")
      if (set !== 0n) return breached(show(status, "CapBnd", set.toString(16)))
      shown.push(show(status, "CapBnd", "0"))
    }
    return held(shown.join("; "))
  }),
  weakenings: ["defaultCapabilities", "privileged"]
}
