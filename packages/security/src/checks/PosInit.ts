/** Posture: without a reaping init, orphans stay as zombies and use the pids limit up. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { inspected } from "../Evidence.ts"

export const posInit: BoundaryCheck = {
  id: "POS-INIT",
  category: "process",
  layer: "posture",
  severity: "low",
  maps: { mitre: ["T1499.001"], cis: [] },
  description: "The engine puts a reaping init first (posture).",
  probes: [],
  judge: judging(function* (evidence) {
    const { init } = (yield* inspected(evidence)).host
    return init === true ? held("init on") : breached("init off")
  }),
  weakenings: ["noInit"]
}
