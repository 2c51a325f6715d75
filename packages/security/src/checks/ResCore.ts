/** A core file carries a process's memory to the disk or to a pipe of the host's. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { atMost, limitOf } from "../internal/cgroupLimit.ts"
import { hardLimit, limitsProbe } from "../internal/processLimits.ts"

export const resCore: BoundaryCheck = {
  id: "RES-CORE",
  category: "limits",
  layer: "structure",
  severity: "low",
  maps: { mitre: ["T1499"], cis: ["5.19"] },
  description: "No core file is written.",
  probes: [limitsProbe],
  judge: judging(function* (evidence) {
    const hard = yield* limitOf(yield* hardLimit(evidence, "Max core file size"), "Max core file size")
    return atMost(hard, 0, "core file bytes")
  }),
  weakenings: ["noUlimits"]
}
