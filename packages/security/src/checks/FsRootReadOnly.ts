/** Read as a mount flag and tried: creating a file fails with EROFS before permissions are looked at. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import * as Errno from "../Errno.ts"
import { answerOf, describeAnswer } from "../Evidence.ts"
import { isReadOnly, mountAt, mountInfoProbe, mounts } from "../internal/mountInfo.ts"
import { createFile } from "../Probe.ts"

const create = createFile("/", "root")

export const fsRootReadOnly: BoundaryCheck = {
  id: "FS-ROOT-RO",
  category: "filesystem",
  layer: "behaviour",
  severity: "medium",
  maps: { mitre: ["T1565"], cis: ["5.13"] },
  description: "The root file system cannot be written, not even by uid 0.",
  probes: [create, mountInfoProbe],
  judge: judging(function* (evidence) {
    const root = mountAt(yield* mounts(evidence), "/")
    const answer = answerOf(evidence, create)
    const shown = `${describeAnswer(create, answer)}; / is ${root?.options.join(",")}`
    if (answer._tag === "Done" || root === undefined || !isReadOnly(root)) return breached(shown)
    return answer._tag === "Refused" && answer.errno === Errno.numberOf("EROFS") ? held(shown) : notRun(shown)
  }),
  weakenings: ["writableRoot"]
}
