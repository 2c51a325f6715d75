/** A pid namespace of its own: host processes cannot be seen or signalled. */
import { namespaceCheck } from "../internal/namespaceCheck.ts"
import type { Evidence } from "../Evidence.ts"
import { answerOf } from "../Evidence.ts"
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
export const hostPidNamespace = (evidence: Evidence): boolean => {
  const answer = answerOf(evidence, pidNamespace)
  return answer._tag === "Text" && answer.lines[0] === "pid:[4026531836]"
}
