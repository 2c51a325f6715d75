/**
 * Edges between packages: `apps/suite → {monitor, chaos, security} → core → {engine, journal}`; data and the ports stand on
 * nothing of ours. Judged on what package.json declares and on what the sources import; each must justify the other.
 */
import * as path from "node:path"
import type { Finding } from "../Finding.ts"
import type { Package, Repository, TextFile } from "../Repository.ts"
import { packageOf, sources, within } from "../Repository.ts"
import { findingAt, imports } from "../Syntax.ts"

const scope = "@sbx/"

/** Who may stand on whom. A package without a line here has no place yet. */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  journal: [],
  engine: [],
  data: [],
  tooling: ["engine"],
  sim: ["engine", "journal"],
  core: ["engine", "journal"],
  monitor: ["core", "engine", "journal"],
  chaos: ["core", "engine", "journal"],
  security: ["core", "engine", "journal"],
  suite: ["monitor", "chaos", "security", "data", "core", "engine", "journal"],
  examples: ["monitor", "chaos", "security", "data", "core", "engine", "journal"]
}

/** Test packages: anyone may develop against them, nobody may ship on them. */
const developmentOnly = new Set(["sim"])

/** Adapters' dependencies, and the only places that may import them. */
const confined: ReadonlyArray<{ readonly name: string; readonly places: ReadonlyArray<string> }> = [
  // The benchmark measures the competitor by its own means.
  { name: "dockerode", places: ["packages/engine/", "apps/suite/src/bench/", "apps/suite/bench/", "bench/"] },
  { name: "systeminformation", places: ["packages/monitor/"] }
]

const rule = "dependency-edge"

export const check = (repository: Repository): ReadonlyArray<Finding> => [
  ...repository.packages.flatMap((owner) => declaredEdges(owner)),
  ...sources(repository).flatMap((file) => imports(file).flatMap((found) => judge(repository, file, found))),
  ...cycles(repository)
]

function declaredEdges(owner: Package): ReadonlyArray<Finding> {
  const at = (message: string): Finding => ({ path: `${owner.folder}/package.json`, line: 1, rule, message })
  if (allowed[short(owner.name)] === undefined) return [at(`${owner.name} has no place in the table of edges`)]
  return [
    ...owner.runtime.filter((name) => isOurs(name) && !mayUse(owner, name, false)),
    ...owner.development.filter((name) => isOurs(name) && !mayUse(owner, name, true))
  ].map((name) => at(`${owner.name} may not depend on ${name}`))
}

function judge(
  repository: Repository,
  file: TextFile,
  found: { readonly specifier: string; readonly start: number }
): ReadonlyArray<Finding> {
  const { specifier, start } = found
  const owner = packageOf(repository, file.path)
  const at = (message: string) => [findingAt(file, start, rule, message)]
  if (specifier.startsWith("node:")) return []
  if (specifier.startsWith(".")) return relative(file, owner, specifier).flatMap(at)
  if (specifier.startsWith("/")) return at(`"${specifier}" is an absolute path`)
  const name = packageName(specifier)
  const confinement = confined.find((one) => one.name === name)
  if (confinement !== undefined && !confinement.places.some((place) => file.path.startsWith(place))) {
    return at(`${name} may be imported in ${confinement.places.join(", ")} only`)
  }
  if (specifier.startsWith("effect/unstable")) return at("effect 4.1 has no effect/unstable; name the published module")
  if (owner === undefined || name === owner.name) return []
  const shipped = within(owner, file.path).startsWith("src/")
  if (isOurs(name) && !mayUse(owner, name, !shipped)) return at(`${owner.name} may not import ${name}`)
  if (owner.runtime.includes(name)) return []
  if (!owner.development.includes(name)) return at(`${name} is not declared in ${owner.folder}/package.json`)
  return shipped && !owner.folder.startsWith("tooling")
    ? at(`${name} is imported by src but declared as a development dependency`)
    : []
}

function relative(file: TextFile, owner: Package | undefined, specifier: string): ReadonlyArray<string> {
  if (owner === undefined) return []
  const target = path.posix.join(path.posix.dirname(file.path), specifier)
  // The one shared configuration file lies at the root.
  if (target === "vitest.shared.ts") return []
  if (!target.startsWith(`${owner.folder}/`)) return [`"${specifier}" leaves the package; import its published module`]
  return /\.(m?ts|json)$/.test(specifier) ? [] : [`"${specifier}" lacks its ending; write .ts`]
}

function mayUse(owner: Package, name: string, developing: boolean): boolean {
  const target = short(name)
  if (developmentOnly.has(target) && target !== short(owner.name)) return developing
  return allowed[short(owner.name)]?.includes(target) ?? false
}

/** Cycles over everything declared, development included: the task runner orders packages by both. */
function cycles(repository: Repository): ReadonlyArray<Finding> {
  const byName = new Map(repository.packages.map((one) => [one.name, one]))
  const done = new Set<string>()
  const found: Array<Finding> = []
  const visit = (one: Package, trail: ReadonlyArray<string>): void => {
    const seen = trail.indexOf(one.name)
    if (seen !== -1) {
      const message = `cycle: ${[...trail.slice(seen), one.name].join(" → ")}`
      found.push({ path: `${one.folder}/package.json`, line: 1, rule, message })
      return
    }
    if (done.has(one.name)) return
    for (const name of [...one.runtime, ...one.development]) {
      const next = byName.get(name)
      if (next !== undefined) visit(next, [...trail, one.name])
    }
    done.add(one.name)
  }
  for (const one of repository.packages) visit(one, [])
  return found
}

const isOurs = (name: string): boolean => name.startsWith(scope)
const short = (name: string): string => name.replace(scope, "")

function packageName(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/")
  return first.startsWith("@") ? `${first}/${second}` : first
}
