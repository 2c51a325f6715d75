/** Posture: an engine that restarts a hostile workload for ever undoes every kill. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { inspected } from "../Evidence.ts"

export const posRestart: BoundaryCheck = {
  id: "POS-RESTART",
  category: "process",
  layer: "posture",
  severity: "medium",
  maps: { mitre: ["T1496"], cis: ["5.15"] },
  description: "The engine does not restart it by itself (posture).",
  probes: [],
  judge: judging(function* (evidence) {
    const policy = (yield* inspected(evidence)).host.restartPolicy
    const name = policy?.name ?? "no"
    return name === "no" ? held("restart policy no") : breached(`restart policy ${name}`)
  }),
  weakenings: ["restartAlways"]
}
