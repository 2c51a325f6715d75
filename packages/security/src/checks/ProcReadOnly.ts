/** Kernel settings in /proc cannot be written: read as mounts, and tried as uid 0 by opening without writing. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import * as Errno from "../Errno.ts"
import { answerOf, describeAnswer, text } from "../Evidence.ts"
import { isReadOnly, mountAt, mountInfoProbe, mounts } from "../internal/mountInfo.ts"
import { listDirectory, openWrite } from "../Probe.ts"

const proc = listDirectory("/proc")
const names = ["bus", "fs", "irq", "sys", "sysrq-trigger"]
const opens = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic"].map(openWrite)

export const procReadOnly: BoundaryCheck = {
  id: "PROC-RO",
  category: "filesystem",
  layer: "behaviour",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: [] },
  description: "Kernel settings in /proc are read-only, also for uid 0.",
  sharedKernelOnly: true,
  probes: [mountInfoProbe, proc, ...opens],
  judge: judging(function* (evidence) {
    const entries = yield* mounts(evidence)
    const listed = yield* text(evidence, proc)
    const bare = names
      .filter((name) => listed.includes(name))
      .map((name) => `/proc/${name}`)
      .filter((path) => {
        const entry = mountAt(entries, path)
        return entry === undefined || !isReadOnly(entry)
      })
    const answers = opens.map((probe) => ({ answer: answerOf(evidence, probe), probe }))
    const shown = answers.map(({ answer, probe }) => describeAnswer(probe, answer)).join("; ")
    if (bare.length > 0 || answers.some(({ answer }) => answer._tag === "Done"))
      return breached(`writable: ${bare.join(", ") || "none by mount"}; ${shown}`)
    return answers.every(({ answer }) => answer._tag === "Refused" && answer.errno === Errno.numberOf("EROFS"))
      ? held(shown)
      : notRun(shown)
  }),
  weakenings: ["writableProc"]
}
