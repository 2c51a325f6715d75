/**
 * Sizes: a file has at most 500 lines, a function at most 70, generators and layer bodies included; over all sources the
 * median is at most 120 and the 95th percentile at most 350. A function that registers tests is a table of contents: exempt.
 */
import type { Finding } from "../Finding.ts"
import { lineAt } from "../Finding.ts"
import type { Repository, TextFile } from "../Repository.ts"
import { sources } from "../Repository.ts"
import type { Node } from "../Syntax.ts"
import { children, findingAt, nameOf, child, parse, registersTests, walk } from "../Syntax.ts"

export const limits = { file: 500, function: 70, median: 120, percentile95: 350 }

export interface Report {
  readonly files: number
  readonly median: number
  readonly percentile95: number
  readonly longest: string
}

export const check = (repository: Repository): ReadonlyArray<Finding> => [
  ...sources(repository).flatMap((file) => [...fileSize(file), ...functionSizes(file)]),
  ...distribution(report(repository))
]

/** Line counts of all `src` files: median, 95th percentile (nearest rank) and the longest. */
export const report = (repository: Repository): Report => {
  const counts = sources(repository)
    .filter((file) => /(^|\/)src\//.test(file.path))
    .map((file) => ({ path: file.path, lines: lineCount(file.text) }))
    .sort((a, b) => a.lines - b.lines)
  const rank = (share: number) => counts[Math.max(0, Math.ceil(counts.length * share) - 1)]?.lines ?? 0
  const last = counts.at(-1)
  return {
    files: counts.length,
    median: rank(0.5),
    percentile95: rank(0.95),
    longest: last === undefined ? "none" : `${last.path} (${last.lines})`
  }
}

function distribution({ files, median, percentile95 }: Report): ReadonlyArray<Finding> {
  const at = (what: string, value: number, limit: number): ReadonlyArray<Finding> =>
    value <= limit
      ? []
      : [{ path: ".", line: 1, rule: "size", message: `${what} of ${files} sources is ${value} lines, limit ${limit}` }]
  return [...at("median", median, limits.median), ...at("95th percentile", percentile95, limits.percentile95)]
}

function fileSize(file: TextFile): ReadonlyArray<Finding> {
  const lines = lineCount(file.text)
  const message = `file has ${lines} lines, limit ${limits.file}`
  return lines <= limits.file ? [] : [{ path: file.path, line: 1, rule: "size", message }]
}

function functionSizes(file: TextFile): ReadonlyArray<Finding> {
  const found: Array<Finding> = []
  walk(parse(file).program, (node, above) => {
    if (!isFunction(node) || isSuite(node)) return
    const lines = lineAt(file.text, node.end) - lineAt(file.text, node.start) + 1
    if (lines <= limits.function) return
    const message = `function ${title(node, above)} has ${lines} lines, limit ${limits.function}`
    found.push(findingAt(file, node.start, "size", message))
  })
  return found
}

const isFunction = (node: Node): boolean =>
  ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"].includes(node.type)

/** Registers tests itself, not only inside a test's body. */
function isSuite(node: Node): boolean {
  return children(node).some((inner) => registersTests(inner) || (!isFunction(inner) && isSuite(inner)))
}

function title(node: Node, above: ReadonlyArray<Node>): string {
  const own = nameOf(child(node, "id"))
  if (own !== undefined) return own
  const holder = above.findLast((one) => ["VariableDeclarator", "Property", "MethodDefinition"].includes(one.type))
  const name = holder === undefined ? undefined : nameOf(child(holder, "id") ?? child(holder, "key"))
  return name === undefined ? "without a name" : `in ${name}`
}

const lineCount = (text: string): number => text.replace(/\n$/, "").split("\n").length
