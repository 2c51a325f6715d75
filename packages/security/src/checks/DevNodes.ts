/** /dev holds what the runtime specification demands and nothing else. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { text } from "../Evidence.ts"
import { listDirectory } from "../Probe.ts"

const devices = listDirectory("/dev")
const allowed = new Set(
  "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(" ")
)

export const devNodes: BoundaryCheck = {
  id: "DEV-NODES",
  category: "container",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1611"], cis: ["5.18"] },
  description: "No device of the host is visible.",
  probes: [devices],
  judge: judging(function* (evidence) {
    const names = yield* text(evidence, devices)
    const extra = names.filter((name) => !allowed.has(name))
    if (extra.length > 0) return breached(`/dev has ${extra.slice(0, 20).join(", ")}`)
    return names.includes("null")
      ? held(`/dev has ${names.join(", ")}`)
      : notRun("/dev has no null: not a container's /dev")
  }),
  weakenings: ["hostDevice", "privileged"]
}
