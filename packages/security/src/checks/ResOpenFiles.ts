/** Descriptors are kernel memory; 65536 is the bound where none was declared. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { atMost, limitOf } from "../internal/cgroupLimit.ts"
import { hardLimit, limitsProbe } from "../internal/processLimits.ts"

export const resOpenFiles: BoundaryCheck = {
  id: "RES-NOFILE",
  category: "limits",
  layer: "structure",
  severity: "low",
  maps: { mitre: ["T1499"], cis: ["5.19"] },
  description: "The number of open files is limited to what was declared.",
  probes: [limitsProbe],
  judge: judging(function* (evidence, expected) {
    const hard = yield* limitOf(yield* hardLimit(evidence, "Max open files"), "Max open files")
    return atMost(hard, expected.openFiles ?? 65536, "open files")
  }),
  weakenings: ["noUlimits"]
}
