/** Group 0 opens files of root's group, also as a supplementary group (CVE-2022-36109). */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { requiredField, selfStatus, show } from "../internal/processStatus.ts"

export const idGroups: BoundaryCheck = {
  id: "ID-GROUPS",
  category: "privilege",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1548"], cis: [] },
  description: "The user is in no group of root's.",
  probes: [selfStatus],
  judge: judging(function* (evidence) {
    const gids = yield* requiredField(evidence, selfStatus, "Gid")
    const groups = yield* requiredField(evidence, selfStatus, "Groups")
    const all = `${gids} ${groups}`.split(/\s+/)
    const shown = `${show(selfStatus, "Gid", gids)}; Groups=${groups}`
    return all.includes("0") ? breached(shown) : held(shown)
  }),
  weakenings: ["rootGroup", "rootUser"]
}
