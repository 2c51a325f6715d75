/** memory.max (v2) or memory.limit_in_bytes (v1) of the container's own cgroup. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { atMost, cgroupFile, limitOf, required } from "../internal/cgroupLimit.ts"

export const memoryFiles = [cgroupFile("memory.max"), cgroupFile("memory/memory.limit_in_bytes")]

export const resMemory: BoundaryCheck = {
  id: "RES-MEM",
  category: "limits",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1499"], cis: ["5.11"] },
  description: "Memory is limited to what was declared.",
  probes: memoryFiles,
  judge: judging(function* (evidence, expected) {
    const value = yield* required(evidence, memoryFiles, "the memory limit")
    return atMost(yield* limitOf(value, "the memory limit"), expected.memoryBytes, "memory")
  }),
  weakenings: ["noMemoryLimit"]
}
