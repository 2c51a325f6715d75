/** `./sbx` on machines that lack what it starts from; it is copied, so that nothing is installed here. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import type { Files } from "./plant.ts"
import { plantAt } from "./plant.ts"

const launcher = fs.readFileSync(path.join(import.meta.dirname, "../../sbx"), "utf8")
const needed = ["dirname", "readlink", "flock", "cat"]

/** Runs it with nothing on the path but `programs` and a few of the system's. */
const launch = (programs: Files, files: Files = {}) => {
  const root = plantAt({
    sbx: launcher,
    ...files,
    ...Object.fromEntries(Object.entries(programs).map(([name, text]) => [`bin/${name}`, text])),
    "bin/.keep": ""
  })
  for (const name of Object.keys(programs)) fs.chmodSync(path.join(root, "bin", name), 0o755)
  for (const name of needed) fs.symlinkSync(`/usr/bin/${name}`, path.join(root, "bin", name))
  const run = spawnSync("/bin/sh", [path.join(root, "sbx"), "list"], {
    encoding: "utf8",
    env: { PATH: path.join(root, "bin") }
  })
  return { code: run.status, text: run.stdout + run.stderr }
}

const node = (version: string) => `#!/bin/sh\necho ${version}\n`
const npx = "#!/bin/sh\necho npx $*\nexit 1\n"
const remedy = "sbx: Install Node 18 or newer with npm, e.g. on Debian: apt-get install nodejs npm\n"

describe("./sbx", () => {
  it("refuses a Node that is too old, naming it, before npx is asked", () => {
    for (const version of ["12.22.12", "16.20.2", "17.9.1"]) {
      assert.deepStrictEqual(launch({ node: node(version), npx }), {
        code: 2,
        text: `sbx: Could not set up: Node 18 or newer is needed, and this is ${version}.\n${remedy}`
      })
    }
  })

  it("refuses without Node or npx", () => {
    assert.deepStrictEqual(launch({ npx }), {
      code: 2,
      text: `sbx: Could not set up: Node 18 or newer is needed, and there is none.\n${remedy}`
    })
    assert.deepStrictEqual(launch({ node: node("18.0.0") }), {
      code: 2,
      text: `sbx: Could not set up: npx was not found.\n${remedy}`
    })
  })

  it("goes on with Node 18 or newer, and says so when the installation fails", () => {
    for (const version of ["18.0.0", "24.1.0", "100.0.0"]) {
      const { code, text } = launch({ node: node(version), npx })
      assert.strictEqual(code, 3)
      assert.match(text, /npx -y pnpm@\S+ install --frozen-lockfile\n/)
      assert.include(text, "Could not install the dependencies")
    }
  })

  it("refuses where no Node 24 was installed and the user's own is older, or absent", () => {
    const stamp = { "node_modules/.sbx-installed": "" }
    const own = "#!/bin/sh\necho 22\n"
    for (const [programs, found] of [
      [{ node: own }, "22"],
      [{}, "absent"]
    ] as const) {
      const { code, text } = launch(programs, stamp)
      assert.strictEqual(code, 2)
      assert.include(text, `no Node 24 is packaged for this platform and the one on PATH is ${found}.`)
    }
  })
})
