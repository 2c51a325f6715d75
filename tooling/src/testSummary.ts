/**
 * `node tooling/src/testSummary.ts [root]`: the closing line of a test run. Exit code 1 on a failure, on no tests at all, and
 * on a package whose report is missing.
 */
import * as path from "node:path"
import { closingLine, isGreen, summarize } from "./Reports.ts"

const summary = summarize(path.resolve(process.argv[2] ?? path.join(import.meta.dirname, "../..")))
for (const fact of summary.missing) process.stdout.write(`${fact}\n`)
process.stdout.write(`${closingLine(summary)}\n`)
process.exitCode = isGreen(summary) ? 0 : 1
