/**
 * Holes in the types: `any`, double assertions and suppressed errors anywhere; plain assertions (`as X`) in sources that are
 * no adapter. An adapter is a file that imports a library whose types cannot be trusted to match its values.
 */
import type { Finding } from "../Finding.ts"
import type { Repository, TextFile } from "../Repository.ts"
import { sources } from "../Repository.ts"
import type { Node } from "../Syntax.ts"
import { child, findingAt, imports, nameOf, parse, walk } from "../Syntax.ts"

const adapted = new Set(["dockerode", "node:sqlite", "systeminformation"])

export const check = (repository: Repository): ReadonlyArray<Finding> => sources(repository).flatMap(judge)

function judge(file: TextFile): ReadonlyArray<Finding> {
  const lenient = !/(^|\/)src\//.test(file.path) || imports(file).some(({ specifier }) => adapted.has(specifier))
  const { program, comments } = parse(file)
  const found = comments.flatMap((comment) => {
    const word = /^[\s*]*(@ts-(?:ignore|nocheck|expect-error))/.exec(comment.value)?.[1]
    const fine = word === undefined || (word === "@ts-expect-error" && /(^|\/)test\//.test(file.path))
    return fine ? [] : [findingAt(file, comment.start, "suppression", `${word} hides every error of the line`)]
  })
  walk(program, (node, above) => {
    // The inner half of a double assertion is reported with the outer one.
    if (above.at(-1)?.type === "TSAsExpression" && node.type === "TSAsExpression") return
    const message = fault(node, lenient)
    if (message !== undefined) found.push(findingAt(file, node.start, message.rule, message.text))
  })
  return found
}

function fault(node: Node, lenient: boolean): { readonly rule: string; readonly text: string } | undefined {
  if (node.type === "TSAnyKeyword") return { rule: "any", text: "any turns the types off; use unknown and narrow it" }
  if (node.type !== "TSAsExpression" && node.type !== "TSTypeAssertion") return undefined
  const type = child(node, "typeAnnotation")
  if (type === undefined || isConst(type)) return undefined
  const inner = child(node, "expression")
  if (inner?.type === "TSAsExpression") return { rule: "double-cast", text: "a double assertion can claim anything" }
  return lenient ? undefined : { rule: "cast", text: "an assertion outside an adapter; decode, narrow or annotate" }
}

const isConst = (type: Node): boolean => nameOf(child(type, "typeName")) === "const"
