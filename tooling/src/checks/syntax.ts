/** Sources that do not parse: without this, every other check would pass over them in silence. */
import type { Finding } from "../Finding.ts"
import type { Repository } from "../Repository.ts"
import { sources } from "../Repository.ts"
import { parse } from "../Syntax.ts"

export const check = (repository: Repository): ReadonlyArray<Finding> =>
  sources(repository).flatMap((file) => {
    const { error } = parse(file)
    return error === undefined ? [] : [{ path: file.path, line: 1, rule: "syntax", message: error }]
  })
