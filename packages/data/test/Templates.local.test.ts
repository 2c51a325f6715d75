/** The projects built, tested by their own runners, and run with the tools of this machine. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Project } from "../src/ProjectTemplate.ts"
import * as Templates from "../src/Templates.ts"
import * as Tree from "../src/Tree.ts"
import { exists, inFolder, run } from "./runSample.ts"

/** A missing tool is printed with its template; node and the shell may never be missing. */
const available = (name: string, tools: ReadonlyArray<string>): boolean => {
  const missing = tools.filter((tool) => !exists(tool))
  if (missing.length === 0) return true
  assert.notIncludeMembers(["node", "sh", "cmp"], missing)
  process.stderr.write(`skipped: template ${name}, ${missing.join(" and ")} not working on this machine\n`)
  return false
}

const rendered = (name: string, values: Readonly<Record<string, string>>): Project =>
  Effect.runSync(Effect.flatMap(Templates.get(name), (template) => template.render(values)))

const build = (folder: string, project: Project) => {
  for (const command of project.build) {
    const built = run(folder, command)
    assert.strictEqual(built.exitCode, 0, built.stdout + built.stderr)
  }
}

/** The project with one text in one file replaced; the text must be there. */
const broken = (project: Project, at: string, from: string, to: string): Project => {
  const entry = Option.getOrUndefined(Tree.find(project.files, at))
  const before = entry?.kind === "file" ? new TextDecoder().decode(entry.content) : ""
  assert.include(before, from)
  const rest = project.files.entries.filter((each) => each.path !== at)
  return { ...project, files: Tree.makeUnsafe([...rest, Tree.file(at, before.replace(from, to))]) }
}

const tested = (project: Project) =>
  inFolder(project.files, (folder) => {
    build(folder, project)
    return run(folder, project.test)
  })

const numbers = (words: string) => new TextEncoder().encode(words)

/** Template, values, and the change that its own tests must notice. */
const summing = [
  ["python-package", { name: "Sum-Tool" }, ["src/sum_tool/__init__.py", "sum(numbers)", "sum(numbers) + 1"]],
  ["go-module", { module: "example.com/tools/sum" }, ["sum/sum.go", "whole += number", "whole -= number"]],
  ["rust-crate", { name: "sum-tool" }, ["src/lib.rs", "numbers.iter().sum()", "numbers.iter().sum::<i64>() + 1"]],
  ["c-program", { name: "sum-tool" }, ["src/sum.c", "*whole += number", "*whole -= number"]]
] as const

for (const [name, values, [at, from, to]] of summing) {
  const project = rendered(name, values)
  describe.runIf(available(name, project.tools))(`${name}, made here`, () => {
    it("builds, passes its own tests, and counts and sums", () => {
      inFolder(project.files, (folder) => {
        build(folder, project)
        const seen = run(folder, project.test)
        assert.strictEqual(seen.exitCode, 0, seen.stdout + seen.stderr)
        const good = run(folder, project.run, numbers("1 -2\n40\n"))
        assert.deepStrictEqual(good, { exitCode: 0, stdout: "3 39\n", stderr: "" })
        const bad = run(folder, project.run, numbers("1 x\n"))
        assert.strictEqual(bad.exitCode, 2)
        assert.deepStrictEqual([bad.stdout, bad.stderr.length > 0], ["", true])
      })
    })

    it("fails its own tests once its source is wrong", () => {
      assert.notStrictEqual(tested(broken(project, at, from, to)).exitCode, 0)
    })
  })
}

const service = rendered("node-service", { name: "greeter" })

/** Starts the service on a free port, gives its address to `use`, and its whole output once it has ended. */
const serving = async (folder: string, use: (base: string, pid: number) => Promise<void>) => {
  const child = spawn(process.execPath, service.run.slice(1), {
    cwd: folder,
    env: { PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = once(child, "close")
  let output = ""
  try {
    const listening = new Promise<string>((resolve, reject) => {
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString()
        const port = /listening on (\d+)\n/.exec(output)?.[1]
        if (port !== undefined) resolve(port)
      })
      child.once("close", () => reject(new Error(`The service ended: ${output}`)))
    })
    await use(`http://127.0.0.1:${await listening}`, child.pid ?? assert.fail("no process"))
    const [code, signal]: Array<unknown> = await ended
    return { code, signal, output }
  } finally {
    child.kill("SIGKILL")
  }
}

describe("node-service, made here", () => {
  it("passes its own tests", () => {
    const seen = tested(service)
    assert.strictEqual(seen.exitCode, 0, seen.stdout + seen.stderr)
    assert.match(seen.stdout, /pass 5\b/)
  })

  it("fails its own tests once a route is wrong", () => {
    const seen = tested(broken(service, "src/server.js", '"GET /health"', '"GET /healthy"'))
    assert.strictEqual(seen.exitCode, 1)
    assert.match(seen.stdout, /fail 1\b/)
  })

  it("answers what it has begun when told to end, and ends with 0", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-data-"))
    try {
      for (const entry of service.files.entries) {
        const target = path.join(folder, entry.path)
        if (entry.kind === "directory") fs.mkdirSync(target)
        else if (entry.kind === "file") fs.writeFileSync(target, entry.content)
      }
      const bytes = 32 * 1024 * 1024
      const { output, ...end } = await serving(folder, async (base, pid) => {
        const missing = await fetch(`${base}/nowhere`)
        assert.strictEqual(missing.status, 404)
        await missing.text()
        const response = await fetch(`${base}/large?bytes=${bytes}`)
        process.kill(pid, "SIGTERM")
        assert.strictEqual((await response.arrayBuffer()).byteLength, bytes)
      })
      assert.deepStrictEqual(end, { code: 0, signal: null })
      assert.match(output, /^listening on \d+\nstopped\n$/)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})

describe("polyglot, made here", () => {
  const tools = { python: "python3", javascript: "node", c: "cc", go: "go", rust: "rustc" }
  const present = Object.entries(tools).filter(([language, tool]) => available(`polyglot (${language})`, [tool]))
  const languages = present.map(([language]) => language).join(",")
  const project = rendered("polyglot", { languages, count: "50" })

  it(`runs through files and a pipe as computed: ${languages}`, () => {
    const seen = tested(project)
    assert.deepStrictEqual(seen, { exitCode: 0, stdout: "", stderr: "" })
  })

  it("fails its own test once the configuration is another", () => {
    const seen = tested(broken(project, "pipeline.conf", "offset=17", "offset=18"))
    assert.notStrictEqual(seen.exitCode, 0)
    assert.match(seen.stdout, /^expected\.txt seen-run\.txt differ/)
  })
})
