/**
 * What all packages' last test runs amount to, from their `reports/junit*.xml`. A package that has tests and no readable
 * report counts against the run: silence is no success.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Counts } from "./JUnit.ts"
import { count } from "./JUnit.ts"
import { load } from "./Repository.ts"

export interface Summary extends Counts {
  /** Packages whose report is absent or cut short, with the fact. */
  readonly missing: ReadonlyArray<string>
}

/** Adds up the reports of every package below the root that has a `test` script. */
export const summarize = (root: string): Summary => {
  const total = { passed: 0, failed: 0, skipped: 0 }
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
      }
    }
  }
  return { ...total, missing }
}

/** The closing line: `N passed, N failed`, and the skipped ones where there are any. */
export const closingLine = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`

/** Green only when something ran, nothing failed and no report is missing. */
export const isGreen = ({ passed, failed, missing }: Summary): boolean =>
  passed > 0 && failed === 0 && missing.length === 0
