/** Posture: `shareable` looks private from inside, but any later container may join it. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { inspected } from "../Evidence.ts"

export const posIpcJoin: BoundaryCheck = {
  id: "POS-IPC-JOIN",
  category: "container",
  layer: "posture",
  severity: "medium",
  maps: { mitre: ["T1611"], cis: ["5.17"] },
  description: "No other container may join its ipc namespace (posture).",
  probes: [],
  judge: judging(function* (evidence) {
    const mode = (yield* inspected(evidence)).host.ipcMode
    if (mode === undefined || mode === "") return notRun("the engine does not say the ipc mode")
    return ["private", "none"].includes(mode) ? held(`ipc mode ${mode}`) : breached(`ipc mode ${mode}`)
  }),
  weakenings: ["shareableIpc", "hostIpc"]
}
