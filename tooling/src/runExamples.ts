/**
 * Runs every example under `examples/` as a user would, in order of name; the first failure ends it with that exit code.
 */
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../../examples", import.meta.url))
const examples = readdirSync(folder)
  .filter((name) => name.endsWith(".ts"))
  .sort()
if (examples.length === 0) {
  console.error(`Could not run examples: there are none in ${folder}.`)
  process.exit(1)
}
for (const name of examples) {
  console.error(`== examples/${name}`)
  const { status } = spawnSync(process.execPath, ["--conditions=@sbx/source", join(folder, name)], { stdio: "inherit" })
  if (status !== 0) {
    console.error(`examples/${name} ended with ${status ?? "a signal"}`)
    process.exit(status ?? 1)
  }
}
