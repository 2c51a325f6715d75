/** io_uring runs operations that seccomp never sees; engines before 25.0 allowed it by default. kernel.io_uring_disabled=2 leaves nothing to gate. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { notApplicable } from "../CheckVerdict.ts"
import { textIfPresent } from "../Evidence.ts"
import { judgeGates } from "../internal/syscallGate.ts"
import { readText, syscall } from "../Probe.ts"

const disabled = readText("/proc/sys/kernel/io_uring_disabled")
const setup = syscall("io_uring_setup", [0, 0])
const gates = judgeGates([{ probe: setup, gate: ["EPERM"], open: ["EFAULT", "EINVAL"], absent: ["ENOSYS"] }])

export const krnIoUring: BoundaryCheck = {
  id: "KRN-IOURING",
  category: "container",
  layer: "behaviour",
  severity: "high",
  maps: { mitre: ["T1068"], cis: [] },
  description: "io_uring, whose operations bypass the filter, is refused.",
  sharedKernelOnly: true,
  probes: [setup, disabled],
  judge: judging(function* (evidence) {
    const knob = (yield* textIfPresent(evidence, disabled))?.[0]
    return knob === "2" ? notApplicable("kernel.io_uring_disabled is 2 for everybody") : gates(evidence)
  }),
  weakenings: ["seccompUnconfined", "seccompAllowAll", "capableRoot"]
}
