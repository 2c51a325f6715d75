/** Posture: what a container writes to its log lands on the host's disk; nothing inside shows whether that is bounded. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { inspected } from "../Evidence.ts"

/** Drivers that write nowhere on the host's disk, or bound it by default (docs.docker.com/engine/logging/drivers/local). */
const bounded = new Set(["none", "local"])

export const posLog: BoundaryCheck = {
  id: "POS-LOG",
  category: "limits",
  layer: "posture",
  severity: "medium",
  maps: { mitre: ["T1499"], cis: [] },
  description: "The log on the host is bounded (posture).",
  probes: [],
  judge: judging(function* (evidence) {
    const log = (yield* inspected(evidence)).host.logConfig
    if (log === undefined) return notRun("the engine does not say the log driver")
    const size = log.config["max-size"]
    const shown = `log driver ${log.type}${size === undefined ? "" : `, max-size ${size}`}`
    return bounded.has(log.type) || (size !== undefined && size !== "-1") ? held(shown) : breached(shown)
  }),
  weakenings: ["unboundedLog"]
}
