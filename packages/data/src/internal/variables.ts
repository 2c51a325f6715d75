/** The variables that templates share, each with the rule of the ecosystem that reads it. */
import type { Variable } from "../ProjectTemplate.ts"

const matching = (description: string, pattern: RegExp, reserved: ReadonlyArray<string> = []): Variable => ({
  description,
  fault: (value) =>
    !pattern.test(value)
      ? "breaks the naming rule"
      : reserved.includes(value.toLowerCase())
        ? `is "${value}", which is reserved`
        : undefined
})

const pythonReserved = new Set([
  ..."and as assert async await break class continue def del elif else except finally for from global if import in is".split(
    " "
  ),
  ..."lambda nonlocal not or pass raise return try while with yield false none true".split(" "),
  // What the template itself imports: src comes first on the path and would hide it.
  ..."sys unittest".split(" ")
])

/** The import package of a distribution: lowercase, runs of "-", "_" and "." as "_" (PyPA, name normalisation). */
export const pythonModule = (distribution: string): string => distribution.toLowerCase().replace(/[-_.]+/g, "_")

/** PyPA, "Names and normalization"; narrowed to what is also an identifier once normalised. */
export const pythonDistribution: Variable = {
  description: "a distribution name: letters, digits, and single parts joined by . _ or -, no keyword as module",
  fault: (value) =>
    value.length > 100 || !/^[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(value)
      ? "breaks the naming rule"
      : pythonReserved.has(pythonModule(value))
        ? `gives the module "${pythonModule(value)}", which is reserved`
        : undefined
}

/** npm, package.json, "name": at most 214 bytes, lowercase, URL-safe, no leading dot or underscore. */
export const npmPackage: Variable = matching(
  "an npm package name of at most 214 lowercase URL-safe characters, with or without @scope/",
  /^(?=.{1,214}$)(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/,
  ["node_modules", "favicon.ico", "http", "url", "test"]
)

/** golang.org/x/mod/module.CheckPath: a domain first, no element Windows reserves, a major version from /v2 on. */
export const goModule: Variable = {
  description: 'a Go module path that begins with a domain, such as "example.com/tools/sum"',
  fault: (value) => {
    const [domain = "", ...elements] = value.split("/")
    if (value.length > 255 || !/^(?=.*\.)[a-z0-9][a-z0-9.-]*$/.test(domain)) return "does not begin with a domain"
    for (const element of [domain, ...elements]) {
      const [stem = ""] = element.toLowerCase().split(".")
      if (!/^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$/.test(element) || element.endsWith(".")) return "breaks the naming rule"
      if (/^(con|prn|aux|nul|com[1-9]|lpt[1-9])$/.test(stem)) return `holds "${element}", which Windows reserves`
      if (/~[0-9]+$/.test(stem)) return `holds "${element}", which looks like a Windows short name`
    }
    return /^v(0.*|1|[0-9]+[._~-].*)$/.test(elements.at(-1) ?? "") ? "ends in a major version below 2" : undefined
  }
}

const rustReserved = [
  ..."abstract as async await become box break const continue crate do dyn else enum extern false final fn for".split(
    " "
  ),
  ..."if impl in let loop macro match mod move mut override priv pub ref return self static struct super trait".split(
    " "
  ),
  ..."true try type typeof unsafe unsized use virtual where while yield gen".split(" "),
  ..."test core std alloc proc_macro proc-macro deps examples build incremental".split(" "),
  ..."con prn aux nul".split(" ")
]

/** cargo new and the Cargo book, "The name field": ASCII, at most 64 characters, no keyword and no name cargo uses. */
export const rustCrate: Variable = matching(
  "a crate name of at most 64 letters, digits, - or _, beginning with a letter, no keyword",
  /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
  rustReserved
)

/** One word in a Makefile and a shell, and no target of the Makefile. */
export const program: Variable = matching(
  "a program name of at most 64 lowercase letters, digits, - or _, beginning with a letter, no target of the Makefile",
  /^[a-z][a-z0-9_-]{0,63}$/,
  ["all", "clean", "test", "test_sum"]
)

/** Three numbers without leading zeros: valid as semantic version and as PEP 440. */
export const version: Variable = {
  ...matching('a version of three numbers, such as "1.0.0"', /^(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}$/),
  fallback: "0.1.0"
}

/** Quoted as JSON it is a JSON and a TOML string: TOML allows no control character, JSON escapes no DEL. */
export const description: Variable = {
  description: "one line of 1 to 200 characters without control characters",
  fallback: "A project of known behaviour.",
  fault: (value) =>
    value.length < 1 || value.length > 200
      ? `has ${value.length} characters`
      : /\p{Cc}/u.test(value) || !value.isWellFormed()
        ? "holds a control character or a lone surrogate"
        : undefined
}

/** A whole number in a range, without leading zeros or sign. */
export const integer = (what: string, least: number, most: number, fallback: string): Variable => ({
  description: `${what}, a whole number from ${least} to ${most}`,
  fallback,
  fault: (value) =>
    /^(0|[1-9][0-9]{0,9})$/.test(value) && Number(value) >= least && Number(value) <= most
      ? undefined
      : `is no whole number from ${least} to ${most}`
})
