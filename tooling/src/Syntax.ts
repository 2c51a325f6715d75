/**
 * Parsed TypeScript. TypeScript 7 has no JavaScript API; rolldown brings oxc's parser, whose ESTree nodes are walked here
 * without a type per kind. Offsets count UTF-16 units, as JavaScript strings do.
 */
import { parseSync } from "rolldown/utils"
import type { Finding } from "./Finding.ts"
import { lineAt } from "./Finding.ts"
import type { TextFile } from "./Repository.ts"

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export interface Comment {
  readonly value: string
  readonly start: number
}

export interface Import {
  readonly specifier: string
  readonly start: number
}

export interface Parsed {
  readonly program: Node
  readonly comments: ReadonlyArray<Comment>
  /** The parser's first complaint. */
  readonly error: string | undefined
}

const cache = new WeakMap<TextFile, Parsed>()

/** Parses a file once. A file with a syntax error gives what the parser could recover. */
export const parse = (file: TextFile): Parsed => {
  const known = cache.get(file)
  if (known !== undefined) return known
  const result = parseSync(file.path, file.text, { lang: "ts", sourceType: "module" })
  const program: unknown = result.program
  if (!isNode(program)) throw new Error(`Could not parse ${file.path}: the parser gave no program.`)
  const parsed = { program, comments: result.comments, error: result.errors[0]?.message }
  cache.set(file, parsed)
  return parsed
}

/** Calls `visit` for a node and all below it, in source order, with the nodes above it, nearest last. */
export const walk = (
  node: Node,
  visit: (node: Node, above: ReadonlyArray<Node>) => void,
  above: ReadonlyArray<Node> = []
): void => {
  visit(node, above)
  const inner = [...above, node]
  for (const child of children(node)) walk(child, visit, inner)
}

/** The nodes directly below a node. */
export const children = (node: Node): ReadonlyArray<Node> =>
  Object.values(node).flatMap((value) => (Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []))

/** Every module that a file names: import, export from, import() and import types. */
export const imports = (file: TextFile): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  walk(parse(file).program, (node) => {
    const source = node["source"]
    if (isNode(source) && typeof source["value"] === "string") {
      found.push({ specifier: source["value"], start: source.start })
    }
  })
  return found
}

/** The node in a field, if there is one. */
export const child = (node: Node, field: string): Node | undefined => {
  const value = node[field]
  return isNode(value) ? value : undefined
}

/** The nodes in a list field. */
export const list = (node: Node, field: string): ReadonlyArray<Node> => {
  const value = node[field]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The name of an identifier (or of a private one). */
export const nameOf = (node: Node | undefined): string | undefined => {
  const name = node?.["name"]
  return typeof name === "string" ? name : undefined
}

/** `it.effect.only(…)` gives ["it", "effect", "only"]; a call inside the chain counts as its callee. */
export const chain = (callee: Node | undefined): ReadonlyArray<string> => {
  if (callee === undefined) return []
  if (callee.type === "CallExpression") return chain(child(callee, "callee"))
  if (callee.type === "MemberExpression") {
    return [...chain(child(callee, "object")), nameOf(child(callee, "property")) ?? "?"]
  }
  return [nameOf(callee) ?? "?"]
}

/** Whether a call registers tests: `it(…)`, `describe.each(…)(…)`, `test.skip(…)`. */
export const registersTests = (node: Node): boolean =>
  node.type === "CallExpression" && ["it", "test", "describe"].includes(chain(child(node, "callee"))[0] ?? "")

/** A finding at an offset of a file. */
export const findingAt = (file: TextFile, offset: number, rule: string, message: string): Finding => ({
  path: file.path,
  line: lineAt(file.text, offset),
  rule,
  message
})

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value
