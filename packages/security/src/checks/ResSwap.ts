/** No swap: v2 counts swap alone, v1 counts memory and swap together. Absent files mean that swap is not accounted. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { cgroupFile, firstPresent, limitOf, required } from "../internal/cgroupLimit.ts"
import { memoryFiles } from "./ResMemory.ts"

const swap = cgroupFile("memory.swap.max")
const memoryAndSwap = cgroupFile("memory/memory.memsw.limit_in_bytes")

export const resSwap: BoundaryCheck = {
  id: "RES-SWAP",
  category: "limits",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1499"], cis: [] },
  description: "Memory cannot overflow into swap.",
  probes: [swap, memoryAndSwap, ...memoryFiles],
  judge: judging(function* (evidence) {
    const alone = yield* firstPresent(evidence, [swap])
    if (alone !== undefined)
      return alone === "0" ? held("memory.swap.max is 0") : breached(`memory.swap.max is ${alone}`)
    const together = yield* firstPresent(evidence, [memoryAndSwap])
    if (together === undefined) return notRun("swap is not accounted: no cgroup file shows it")
    const both = yield* limitOf(together, "memory and swap")
    const memory = yield* limitOf(yield* required(evidence, memoryFiles, "the memory limit"), "memory")
    const shown = `memory and swap ${both}, memory ${memory}`
    return Number.isFinite(both) && both <= memory ? held(shown) : breached(shown)
  }),
  weakenings: ["unlimitedSwap", "noMemoryLimit"]
}
