/** Real, effective, saved and file-system uid of what the engine runs by default: none is 0. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { firstStatus, requiredField, selfStatus, show } from "../internal/processStatus.ts"
import { hostPidNamespace, pidNamespace } from "./NsPid.ts"

export const idNonroot: BoundaryCheck = {
  id: "ID-NONROOT",
  category: "privilege",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1611"], cis: ["4.1"] },
  description: "Nothing inside runs as root by default.",
  probes: [selfStatus, firstStatus, pidNamespace],
  judge: judging(function* (evidence) {
    const foreign = yield* hostPidNamespace(evidence)
    const shown: Array<string> = []
    for (const status of [selfStatus, firstStatus]) {
      if (status === firstStatus && foreign) continue
      const uids = yield* requiredField(evidence, status, "Uid")
      if (uids.split(/\s+/).includes("0")) return breached(show(status, "Uid", uids))
      shown.push(show(status, "Uid", uids))
    }
    return held(shown.join("; "))
  }),
  weakenings: ["rootUser"]
}
