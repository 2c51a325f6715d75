/** PR_SET_NO_NEW_PRIVS: setuid files and file capabilities give nothing (Documentation/userspace-api/no_new_privs.rst). */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { firstStatus, requiredField, rootStatus, selfStatus, show } from "../internal/processStatus.ts"
import { hostPidNamespace, pidNamespace } from "./NsPid.ts"

export const idNoNewPrivileges: BoundaryCheck = {
  id: "ID-NNP",
  category: "privilege",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1548.001"], cis: ["5.26"] },
  description: "No process can gain privileges by executing a file.",
  probes: [selfStatus, rootStatus, firstStatus, pidNamespace],
  judge: judging(function* (evidence) {
    const foreign = yield* hostPidNamespace(evidence)
    const shown: Array<string> = []
    for (const status of [selfStatus, rootStatus, firstStatus]) {
      if (status === firstStatus && foreign) continue
      const flag = yield* requiredField(evidence, status, "NoNewPrivs")
      if (flag !== "1") return breached(show(status, "NoNewPrivs", flag))
      shown.push(show(status, "NoNewPrivs", flag))
    }
    return held(shown.join("; "))
  }),
  weakenings: ["newPrivileges"]
}
