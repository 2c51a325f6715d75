/** pids.max of the container's own cgroup: what stops a fork bomb. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { atMost, cgroupFile, limitOf, required } from "../internal/cgroupLimit.ts"

const files = [cgroupFile("pids.max"), cgroupFile("pids/pids.max")]

export const resPids: BoundaryCheck = {
  id: "RES-PIDS",
  category: "limits",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1499.001"], cis: ["5.29"] },
  description: "The number of processes is limited to what was declared.",
  probes: files,
  judge: judging(function* (evidence, expected) {
    const value = yield* required(evidence, files, "the pids limit")
    return atMost(yield* limitOf(value, "the pids limit"), expected.pids, "pids")
  }),
  weakenings: ["noPidsLimit"]
}
