/** Layers are `layer`, `layerMemory`, `layerWith(…)`: never `XLive`, `Live`, `testLayer` or, exported by `src`, `xLayer`. */
import type { Finding } from "../Finding.ts"
import type { Repository, TextFile } from "../Repository.ts"
import { sources } from "../Repository.ts"
import type { Node } from "../Syntax.ts"
import { child, findingAt, nameOf, parse, walk } from "../Syntax.ts"

const declarations = new Set(["VariableDeclarator", "FunctionDeclaration", "ClassDeclaration"])
const members = new Set(["PropertyDefinition", "MethodDefinition"])

export const check = (repository: Repository): ReadonlyArray<Finding> => sources(repository).flatMap(judge)

function judge(file: TextFile): ReadonlyArray<Finding> {
  const found: Array<Finding> = []
  walk(parse(file).program, (node, above) => {
    const key = declarations.has(node.type) ? "id" : members.has(node.type) ? "key" : undefined
    const name = key === undefined ? undefined : nameOf(child(node, key))
    if (name === undefined) return
    const shipped = /(^|\/)src\//.test(file.path)
    const exported = shipped && above.some((one) => one.type === "ExportNamedDeclaration") && isOutermost(above)
    if (isForbidden(name) || (exported && /[a-z]Layer$/.test(name))) {
      found.push(findingAt(file, node.start, "layer-name", `${name}: call it layer, layerMemory or layerWith`))
    }
  })
  return found
}

/** `isLive` and `keepAlive` are ordinary words; `SandboxesLive` and a static `Live` are the old custom. */
const isForbidden = (name: string): boolean =>
  name === "Live" || /^[A-Z]\w*[a-z\d]Live$/.test(name) || /(^t|T)est\w*Layer$/.test(name)

const isOutermost = (above: ReadonlyArray<Node>): boolean =>
  !above.some((one) => one.type === "BlockStatement" || one.type === "ArrowFunctionExpression")
