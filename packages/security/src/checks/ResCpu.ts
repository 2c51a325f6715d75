/** cpu.max (v2) or cfs quota over period (v1): a share alone is not a cap. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { atMost, cgroupFile, firstPresent, limitOf, required } from "../internal/cgroupLimit.ts"

const unified = cgroupFile("cpu.max")
const of = (name: string) => ["cpu", "cpu,cpuacct"].map((controller) => cgroupFile(`${controller}/cpu.cfs_${name}_us`))
const quotas = of("quota")
const periods = of("period")

export const resCpu: BoundaryCheck = {
  id: "RES-CPU",
  category: "limits",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1496"], cis: ["5.12"] },
  description: "Cpu time is limited to what was declared.",
  probes: [unified, ...quotas, ...periods],
  judge: judging(function* (evidence, expected) {
    const both = (yield* firstPresent(evidence, [unified]))?.split(" ")
    const quota = yield* limitOf(both?.[0] ?? (yield* required(evidence, quotas, "the cpu quota")), "the cpu quota")
    const period = yield* limitOf(both?.[1] ?? (yield* required(evidence, periods, "the cpu period")), "the cpu period")
    return atMost(quota / period, expected.cpus, "cpu cores")
  }),
  weakenings: ["noCpuLimit"]
}
