/** seccomp(2) mode 2 is "filter". What the filter does is KRN-SECCOMP-EFFECT's question. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { requiredField, selfStatus, show } from "../internal/processStatus.ts"

export const krnSeccompMode: BoundaryCheck = {
  id: "KRN-SECCOMP-MODE",
  category: "container",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: ["5.22"] },
  description: "A system call filter is in force.",
  sharedKernelOnly: true,
  probes: [selfStatus],
  judge: judging(function* (evidence) {
    const mode = yield* requiredField(evidence, selfStatus, "Seccomp")
    const shown = show(selfStatus, "Seccomp", mode)
    return mode === "2" ? held(shown) : breached(shown)
  }),
  weakenings: ["seccompUnconfined", "privileged"]
}
