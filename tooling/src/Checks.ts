/** All repository checks in order. A new one is a file in `checks/` and a line here. */
import * as Allowances from "./Allowances.ts"
import * as casts from "./checks/casts.ts"
import * as dependencyEdges from "./checks/dependencyEdges.ts"
import * as forbiddenFiles from "./checks/forbiddenFiles.ts"
import * as forbiddenText from "./checks/forbiddenText.ts"
import * as layerNames from "./checks/layerNames.ts"
import * as packageDocuments from "./checks/packageDocuments.ts"
import * as sizes from "./checks/sizes.ts"
import * as syntax from "./checks/syntax.ts"
import * as testTitles from "./checks/testTitles.ts"
import type { Finding } from "./Finding.ts"
import type { Repository } from "./Repository.ts"

const checks = [
  syntax,
  dependencyEdges,
  forbiddenFiles,
  packageDocuments,
  sizes,
  casts,
  layerNames,
  testTitles,
  forbiddenText
]

/** Everything that is wrong and not excused, by path and line. */
export const run = (repository: Repository): ReadonlyArray<Finding> =>
  [
    ...Allowances.apply(
      repository,
      checks.flatMap(({ check }) => check(repository))
    )
  ].sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1))
