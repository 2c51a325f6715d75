/**
 * Files are named by the concept they hold: PascalCase modules under `src`, camelCase helpers under `src/internal`. Drawers
 * without a concept (utils, types, helpers), barrels and folders by kind (errors, services, layers) are refused.
 * A source begins with a comment that says what it is for; a README has at most 120 lines.
 */
import * as path from "node:path"
import type { Finding } from "../Finding.ts"
import type { Package, Repository, TextFile } from "../Repository.ts"
import { packageOf, within } from "../Repository.ts"

const drawers = new Set(["utils", "util", "types", "helpers", "common", "misc"])
const kinds = new Set(["errors", "services", "layers", "utils", "types", "helpers"])

export const check = (repository: Repository): ReadonlyArray<Finding> =>
  repository.files.flatMap((file) => {
    const owner = packageOf(repository, file.path)
    return owner === undefined ? readme(file) : [...readme(file), ...judge(owner, file)]
  })

function judge(owner: Package, file: TextFile): ReadonlyArray<Finding> {
  if (!/\.m?[tj]sx?$/.test(file.path)) return []
  const inside = within(owner, file.path)
  const folders = path.posix.dirname(inside).split("/")
  const base = path.posix.basename(inside).replace(/\.m?[tj]sx?$/, "")
  const at = (message: string): Finding => ({ path: file.path, line: 1, rule: "file-name", message })
  return [
    ...(base === "index" ? [at("index is a barrel; exports map each module by its name")] : []),
    ...(drawers.has(base.toLowerCase()) ? [at(`${base} names no concept`)] : []),
    ...folders.filter((folder) => kinds.has(folder)).map((folder) => at(`folder ${folder}/ sorts by kind`)),
    ...(folders[0] === "src" && owner.folder !== "tooling" ? casing(folders, base).map(at) : []),
    ...(folders[0] === "src" && !/^(#!.*\n)?\s*\/[/*]/.test(file.text)
      ? [{ ...at("begin with a comment: what it is for, what it refuses"), rule: "file-header" }]
      : [])
  ]
}

function casing(folders: ReadonlyArray<string>, base: string): ReadonlyArray<string> {
  if (folders.includes("internal")) return /^[a-z]/.test(base) ? [] : [`${base} is internal: begin in lower case`]
  return /^[A-Z]/.test(base) || base === "main" ? [] : [`${base} is public: begin with a capital, or move to internal/`]
}

function readme(file: TextFile): ReadonlyArray<Finding> {
  const lines = file.text.trimEnd().split("\n").length
  return path.posix.basename(file.path) === "README.md" && lines > 120
    ? [{ path: file.path, line: 1, rule: "size", message: `README has ${lines} lines, limit 120` }]
    : []
}
