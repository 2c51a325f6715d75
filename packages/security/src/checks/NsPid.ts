/** A pid namespace of its own: host processes cannot be seen or signalled. */
import { namespaceCheck } from "../internal/namespaceCheck.ts"
import * as Result from "effect/Result"
import type { Evidence, Reading } from "../Evidence.ts"
import { line } from "../Evidence.ts"
import { readLink } from "../Probe.ts"

export const nsPid = namespaceCheck("pid", {
  id: "NS-PID",
  category: "process",
  severity: "critical",
  maps: { mitre: ["T1611", "T1057"], cis: ["5.16"] },
  description: "Processes live in a pid namespace that is not the host's.",
  weakenings: ["hostPid"]
})

/** What tells other checks whether /proc/1 is the container's own first process. */
export const pidNamespace = readLink("/proc/self/ns/pid")

/** True when /proc/1 is the host's init, whose status says nothing about the container. */
export const hostPidNamespace = (evidence: Evidence): Reading<boolean> =>
  Result.map(line(evidence, pidNamespace), (link) => link === "pid:[4026531836]")
