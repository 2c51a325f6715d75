/**
 * Exceptions to the rules, each with its reason, in `tooling/allowances.json`: a list of
 * `{ "rule", "path", "contains"?, "reason" }`. One that excuses nothing is itself a finding, so the list cannot rot.
 */
import type { Finding } from "./Finding.ts"
import type { Repository } from "./Repository.ts"

export interface Allowance {
  readonly rule: string
  /** The file, or a folder ending in `/`. */
  readonly path: string
  /** Text that the finding's line must contain; absent: any line. */
  readonly contains?: string
  readonly reason: string
}

export const allowancesPath = "tooling/allowances.json"

/** The findings that no allowance excuses, and a finding for each allowance that is malformed or excuses none. */
export const apply = (repository: Repository, findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  const { allowances, faults } = read(repository)
  const used = new Set<Allowance>()
  const left = findings.filter((finding) => {
    const excuse = allowances.find((allowance) => covers(repository, allowance, finding))
    if (excuse !== undefined) used.add(excuse)
    return excuse === undefined
  })
  const stale = allowances
    .filter((allowance) => !used.has(allowance))
    .map((allowance) => complaint(`the exception from ${allowance.rule} for ${allowance.path} excuses nothing`))
  return [...left, ...faults, ...stale]
}

function read(repository: Repository): {
  readonly allowances: ReadonlyArray<Allowance>
  readonly faults: ReadonlyArray<Finding>
} {
  const file = repository.files.find((candidate) => candidate.path === allowancesPath)
  const entries: unknown = file === undefined ? [] : JSON.parse(file.text)
  if (!Array.isArray(entries)) return { allowances: [], faults: [complaint("it is no list")] }
  const allowances = entries.filter(isAllowance)
  const faults = entries
    .filter((entry) => !isAllowance(entry))
    .map((entry) => complaint(`an entry needs rule, path and a reason: ${JSON.stringify(entry)}`))
  return { allowances, faults }
}

function covers(repository: Repository, allowance: Allowance, finding: Finding): boolean {
  if (allowance.rule !== finding.rule) return false
  const inside = allowance.path.endsWith("/")
    ? finding.path.startsWith(allowance.path)
    : finding.path === allowance.path
  if (!inside || allowance.contains === undefined) return inside
  const file = repository.files.find((candidate) => candidate.path === finding.path)
  return (file?.text.split("\n")[finding.line - 1] ?? "").includes(allowance.contains)
}

const complaint = (message: string): Finding => ({ path: allowancesPath, line: 1, rule: "allowance", message })

const isAllowance = (value: unknown): value is Allowance =>
  typeof value === "object" &&
  value !== null &&
  "rule" in value &&
  typeof value.rule === "string" &&
  "path" in value &&
  typeof value.path === "string" &&
  "reason" in value &&
  typeof value.reason === "string" &&
  value.reason.trim().length >= 10 &&
  (!("contains" in value) || typeof value.contains === "string")
