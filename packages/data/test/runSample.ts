/** Runs a code sample in a temporary folder of this machine and gives what was seen. Test code only. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { CodeSample, Observed } from "../src/CodeSample.ts"

/** Whether a command can be started at all. */
export const exists = (command: string): boolean =>
  spawnSync(command, ["-c", ""], { stdio: "ignore" }).error === undefined

export const runSample = (sample: CodeSample): Observed => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-data-"))
  try {
    for (const entry of sample.files.entries) {
      if (entry.kind === "file") fs.writeFileSync(path.join(folder, entry.path), entry.content)
      else throw new Error(`Could not write ${entry.path}: samples hold flat files so far.`)
    }
    const [command = "", ...args] = sample.argv
    const run = spawnSync(command, args, {
      cwd: folder,
      input: sample.stdin,
      encoding: "utf8",
      timeout: 20_000,
      maxBuffer: 16 * 1024 * 1024
    })
    if (run.error !== undefined) throw run.error
    if (run.status === null) throw new Error(`Could not finish: killed by ${run.signal}.`)
    const written = sample.expected.results
      .map((result) => result.path)
      .filter((name) => fs.existsSync(path.join(folder, name)))
    const files = Object.fromEntries(written.map((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]))
    return { exitCode: run.status, stdout: run.stdout, stderr: run.stderr, files }
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}
