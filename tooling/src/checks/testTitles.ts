/**
 * Tests: titles are present-tense statements without "should"; nothing is left focused, skipped or to do. A test that cannot
 * run somewhere uses the context's `skip("reason")`, or `runIf`/`skipIf` in a file that prints `skipped: <what>, <why>`.
 */
import type { Finding } from "../Finding.ts"
import type { Repository, TextFile } from "../Repository.ts"
import { sources } from "../Repository.ts"
import type { Node } from "../Syntax.ts"
import { chain, child, findingAt, list, parse, registersTests, walk } from "../Syntax.ts"

const forbidden: Readonly<Record<string, string>> = {
  only: "focused: it hides every other test",
  skip: "skipped: fix it, remove it, or use skipIf with a printed reason",
  todo: "not written"
}

const conditions = new Set(["runIf", "skipIf"])
const printers = new Set([
  "process.stderr.write",
  "process.stdout.write",
  "console.log",
  "console.warn",
  "console.error"
])

export const check = (repository: Repository): ReadonlyArray<Finding> => sources(repository).flatMap(judge)

function judge(file: TextFile): ReadonlyArray<Finding> {
  const found: Array<Finding> = []
  walk(parse(file).program, (node) => {
    if (node.type !== "CallExpression") return
    const names = chain(child(node, "callee"))
    const [first] = list(node, "arguments")
    if (registersTests(node)) {
      const text = first === undefined ? undefined : literal(first)
      if (text !== undefined && /\bshould\b/i.test(text)) {
        found.push(findingAt(file, node.start, "test-title", `"${text}" says should; state what is`))
      }
      const condition = isInnerCall(node) ? names.find((name) => conditions.has(name)) : undefined
      if (condition !== undefined && !printsReason(file)) {
        const message = `.${condition} may leave tests out and nothing prints "skipped: <what>, <why>"`
        found.push(findingAt(file, node.start, "test-switch", message))
      }
      for (const name of isInnerCall(node) ? [] : names) {
        const reason = Object.hasOwn(forbidden, name) ? forbidden[name] : undefined
        if (reason !== undefined)
          found.push(findingAt(file, node.start, "test-switch", `.${name} leaves a test ${reason}`))
      }
    } else if (names.length > 1 && names.at(-1) === "skip" && first === undefined && isTest(file)) {
      found.push(findingAt(file, node.start, "test-switch", "skip() without a reason"))
    }
  })
  return found
}

/** Whether the file has a call that prints a text which begins with `skipped: `. */
function printsReason(file: TextFile): boolean {
  let found = false
  walk(parse(file).program, (node) => {
    if (node.type !== "CallExpression" || !printers.has(chain(child(node, "callee")).join("."))) return
    const [first] = list(node, "arguments")
    found ||= first !== undefined && literal(first)?.startsWith("skipped: ") === true
  })
  return found
}

/** In `it.each(rows)(title, body)` the inner call holds rows, not a title; the outer one is judged. */
const isInnerCall = (node: Node): boolean => child(node, "callee")?.type === "CallExpression"

const isTest = (file: TextFile): boolean => /(^|\/)test\//.test(file.path)

function literal(node: Node): string | undefined {
  if (node.type === "Literal" && typeof node["value"] === "string") return node["value"]
  if (node.type !== "TemplateLiteral") return undefined
  return list(node, "quasis")
    .map((quasi) => {
      const value = quasi["value"]
      const raw = typeof value === "object" && value !== null && "raw" in value ? value.raw : ""
      return typeof raw === "string" ? raw : ""
    })
    .join("…")
}
