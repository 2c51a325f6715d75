/** With the out-of-memory killer off a full sandbox hangs instead of dying (cgroup v1 only; v2 has no such switch). */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notApplicable, notRun } from "../CheckVerdict.ts"
import { textIfPresent } from "../Evidence.ts"
import { cgroupFile } from "../internal/cgroupLimit.ts"

const control = cgroupFile("memory/memory.oom_control")
const unified = cgroupFile("memory.max")

export const resOomKill: BoundaryCheck = {
  id: "RES-OOMKILL",
  category: "limits",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1499"], cis: [] },
  description: "A sandbox that runs out of memory is killed.",
  probes: [control, unified],
  judge: judging(function* (evidence) {
    if ((yield* textIfPresent(evidence, unified)) !== undefined) return notApplicable("cgroup v2 always kills")
    const disabled = (yield* textIfPresent(evidence, control))?.find((line) => line.startsWith("oom_kill_disable "))
    if (disabled === undefined) return notRun("no cgroup file shows it")
    return disabled === "oom_kill_disable 0" ? held(disabled) : breached(disabled)
  }),
  weakenings: ["oomKillDisabled"]
}
