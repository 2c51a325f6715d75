/** Writes trees to temporary folders of this machine, runs samples and commands there, and gives what was seen. Test code only. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { CodeSample, Observed } from "../src/CodeSample.ts"
import type { Checked, CompileError } from "../src/CompileError.ts"
import type { Tree } from "../src/Tree.ts"

/** The package's compiler and this process's Node, whatever the machine's path leads to; other commands as named. */
const bin = new URL("../node_modules/.bin/", import.meta.url)
const own: Record<string, string> = {
  node: process.execPath,
  tsc: fileURLToPath(new URL("tsc", bin))
}

const harmless: Record<string, ReadonlyArray<string>> = { go: ["version"], sh: ["-c", ":"] }

/** Whether a command works. That it can be started is not enough: rustup's `rustc` asks for a toolchain that a user may not have. */
export const exists = (command: string): boolean =>
  spawnSync(own[command] ?? command, harmless[command] ?? ["--version"], { stdio: "ignore" }).status === 0

/** Writes the tree to a fresh folder, gives it to `use`, and removes it. */
export const inFolder = <A>(tree: Tree, use: (folder: string) => A): A => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-data-"))
  try {
    for (const entry of tree.entries) {
      const target = path.join(folder, entry.path)
      if (entry.kind === "directory") fs.mkdirSync(target, { mode: entry.mode })
      else if (entry.kind === "file") fs.writeFileSync(target, entry.content, { mode: entry.mode })
      else fs.symlinkSync(entry.target, target)
    }
    return use(folder)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** Runs one command to its end; a command that cannot start, or is killed, is thrown. */
export const run = (folder: string, argv: ReadonlyArray<string>, input: Uint8Array = new Uint8Array()): Checked => {
  const [command = "", ...args] = argv
  const ended = spawnSync(own[command] ?? command, args, {
    cwd: folder,
    input,
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 16 * 1024 * 1024
  })
  if (ended.error !== undefined) throw ended.error
  if (ended.status === null) throw new Error(`Could not finish ${command}: killed by ${ended.signal}.`)
  return { exitCode: ended.status, stdout: ended.stdout, stderr: ended.stderr }
}

export const runSample = (sample: CodeSample): Observed =>
  inFolder(sample.files, (folder) => {
    for (const command of sample.build) {
      const built = run(folder, command)
      if (built.exitCode !== 0) throw new Error(`Could not build: ${built.stdout}${built.stderr}`)
    }
    const ended = run(folder, sample.argv, sample.stdin)
    const written = sample.expected.results
      .map((result) => result.path)
      .filter((name) => fs.existsSync(path.join(folder, name)))
    const files = Object.fromEntries(written.map((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]))
    return { ...ended, files }
  })

export const runCheck = (sample: CompileError): Checked => inFolder(sample.files, (folder) => run(folder, sample.check))
