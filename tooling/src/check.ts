/**
 * `node tooling/src/check.ts [root]`: prints every broken rule and a summary. Exit code 1 on findings, and on a root without
 * sources, where nothing could be found.
 */
import * as path from "node:path"
import * as Checks from "./Checks.ts"
import { report } from "./checks/sizes.ts"
import { format } from "./Finding.ts"
import { load } from "./Repository.ts"

const root = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, "../.."))
const repository = load(root)
const findings = Checks.run(repository)
const { files, median, percentile95, longest } = report(repository)

for (const finding of findings) process.stdout.write(`${format(finding)}\n`)
process.stdout.write(
  `${repository.packages.length} packages, ${files} sources: median ${median} lines, 95th percentile ${percentile95}, ` +
    `longest ${longest}\n`
)
if (files === 0) process.stdout.write(`no sources below ${root}\n`)
process.stdout.write(findings.length === 0 ? "no findings\n" : `${findings.length} findings\n`)
process.exitCode = findings.length === 0 && files > 0 ? 0 : 1
