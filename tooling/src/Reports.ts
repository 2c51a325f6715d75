/**
 * What all packages' last test runs amount to, from their `reports/junit*.xml`. A package that has tests and no readable
 * report counts against the run: silence is no success.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Report } from "./JUnit.ts"
import { count } from "./JUnit.ts"
import { load } from "./Repository.ts"

export interface Summary extends Report {
  /** Packages whose report is absent or cut short, with the fact. */
  readonly missing: ReadonlyArray<string>
}

/** Adds up the reports of every package below the root that has a `test` script. */
export const summarize = (root: string): Summary => {
  const total = { passed: 0, failed: 0, skipped: 0 }
  const skips: Array<string> = []
  const missing: Array<string> = []
  for (const { folder } of load(root).packages.filter((one) => one.scripts.includes("test"))) {
    const reports = path.join(root, folder, "reports")
    const names = fs.existsSync(reports) ? fs.readdirSync(reports).filter((name) => /^junit.*\.xml$/.test(name)) : []
    if (names.length === 0) missing.push(`${folder} has no test report`)
    for (const name of names) {
      const counts = count(fs.readFileSync(path.join(reports, name), "utf8"))
      if (counts === undefined) missing.push(`${folder}/reports/${name} is incomplete`)
      else {
        total.passed += counts.passed
        total.failed += counts.failed
        total.skipped += counts.skipped
        skips.push(...counts.skips)
      }
    }
  }
  return { ...total, skips, missing }
}

/**
 * Facts first, the skipped tests on the last line but one, and at the end `N passed, N failed`. What is red without a failed
 * test (`isRed`, no tests, a missing report) counts as one failure, so that the last line alone never looks green.
 */
export const closingLines = (summary: Summary, isRed: boolean): ReadonlyArray<string> => {
  const { passed, failed, skips, missing } = summary
  const counted = failed === 0 && (isRed || !isGreen(summary)) ? 1 : failed
  return [
    ...missing,
    ...(skips.length === 0 ? [] : [`${skips.length} skipped: ${skips.join("; ")}`]),
    `${passed} passed, ${counted} failed`
  ]
}

/** Green only when something ran, nothing failed and no report is missing. */
export const isGreen = ({ passed, failed, missing }: Summary): boolean =>
  passed > 0 && failed === 0 && missing.length === 0
