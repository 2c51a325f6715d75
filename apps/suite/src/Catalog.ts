/** Every scenario of the suite, in the order in which they are listed and run. */
import type { Scenario } from "@sbx/core/Scenario"
import type { Services } from "./Composition.ts"
import { cpuStressScenario } from "./scenarios/chaos/CpuStress.ts"
import { crashRecovery } from "./scenarios/chaos/CrashRecovery.ts"
import { dataAnalysis } from "./scenarios/e2e/DataAnalysis.ts"
import { alertLifecycle } from "./scenarios/monitor/AlertLifecycle.ts"
import { attribution } from "./scenarios/monitor/Attribution.ts"
import { leakDetection } from "./scenarios/monitor/LeakDetection.ts"
import { noisyNeighbour } from "./scenarios/monitor/NoisyNeighbour.ts"
import { snapshotCompare } from "./scenarios/monitor/SnapshotCompare.ts"
import { stabilization } from "./scenarios/monitor/Stabilization.ts"
import { concurrentCreation } from "./scenarios/orchestration/ConcurrentCreation.ts"
import { lifecycle } from "./scenarios/orchestration/Lifecycle.ts"
import { startupTime } from "./scenarios/orchestration/StartupTime.ts"
import { boundaries } from "./scenarios/security/Boundaries.ts"

export const catalog: ReadonlyArray<Scenario<Services>> = [
  lifecycle,
  concurrentCreation,
  startupTime,
  dataAnalysis,
  attribution,
  noisyNeighbour,
  snapshotCompare,
  alertLifecycle,
  leakDetection,
  stabilization,
  cpuStressScenario,
  crashRecovery,
  boundaries
]
