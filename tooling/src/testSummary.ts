/**
 * `node tooling/src/testSummary.ts [root] [exit code so far]`: the closing lines of a test run, the last of them
 * `N passed, N failed`. Exit code 1 on a failure, on no tests at all, and on a package whose report is missing.
 */
import * as path from "node:path"
import { closingLines, isGreen, summarize } from "./Reports.ts"

const [root = path.join(import.meta.dirname, "../.."), code = "0"] = process.argv.slice(2)
const summary = summarize(path.resolve(root))
const isRed = code !== "0"
process.stdout.write(`${closingLines(summary, isRed).join("\n")}\n`)
process.exitCode = isGreen(summary) && !isRed ? 0 : 1
