/**
 * Text that must not be in the repository: hosts of package registries and mirrors (they belong to a user's configuration),
 * paths of the machine it was written on, and talk about how it was written. Patterns are put together from pieces, so
 * that this file does not contain what it looks for.
 */
import type { Finding } from "../Finding.ts"
import { lineAt } from "../Finding.ts"
import type { Repository, TextFile } from "../Repository.ts"

const dot = "\\."
const anyOf = (...pieces: ReadonlyArray<string>): string => `(?:${pieces.join("|")})`
const joined = (...pieces: ReadonlyArray<string>): string => pieces.join("")

interface Pattern {
  readonly rule: string
  readonly pattern: RegExp
  readonly message: string
}

const registryHosts: ReadonlyArray<string> = [
  joined("registry", dot, "[\\w-]+", dot),
  joined("registry-\\d+", dot, "docker"),
  joined("npm", "js", dot, "org"),
  joined("yarn", "pkg", dot, "com"),
  joined(
    anyOf("deb", "ftp", "security", "archive", "snapshot", "httpredir", "cdn-fastly"),
    "(?:",
    dot,
    "\\w+)?",
    dot,
    "debian",
    dot
  ),
  joined("archive", dot, "ubuntu", dot),
  joined("py", "pi", dot, "org"),
  joined("python", "hosted", dot, "org"),
  joined("proxy", dot, "golang", dot),
  joined(anyOf("index", "static"), dot, "crates", dot)
]

const patterns: ReadonlyArray<Pattern> = [
  {
    rule: "registry-host",
    pattern: new RegExp(`(?<![\\w.-])(?:[\\w-]+\\.)*${anyOf(...registryHosts)}`, "gi"),
    message: "names the host of a package registry"
  },
  {
    rule: "registry-host",
    // Any other URL whose host says that it serves packages.
    pattern: new RegExp(`https?://[\\w.-]*${anyOf("registry", "mirror", "artifactory", "nexus")}[\\w.:-]*`, "gi"),
    message: "names the host of a package registry or mirror"
  },
  {
    rule: "machine-path",
    // Not `/proc/<pid>/root/`, a place inside every Linux, nor a user of one letter, who is made up.
    pattern: new RegExp(`(?<![\\w.~*}>$)-])/${anyOf("work", "root", "home/[a-z]\\w+")}/`, "g"),
    message: "is a path of one machine"
  },
  {
    rule: "working-talk",
    pattern: new RegExp(
      anyOf(
        joined("\\b", anyOf("this", "my", "another", "previous"), " ses", "sion\\b(?! (?:key|id|bus|leader))"),
        joined("\\bsub-?", "agents?\\b"),
        joined("\\bBRIEF", dot, "md\\b"),
        joined("\\.\\./sha", "red/"),
        joined("\\bas an A", "I\\b"),
        joined("\\blanguage ", "model\\b"),
        joined("\\b(?:founding|fellow) engi", "neer\\b")
      ),
      "gi"
    ),
    message: "talks about how this was written"
  }
]

/** Any host at all: integrity hashes say what a package is, the user's configuration where it comes from. */
const inLockfile: Pattern = {
  rule: "registry-host",
  pattern: /\b(?:https?|git\+\w+):\/\/[^\s,}]+/g,
  message: "names a host"
}

export const check = (repository: Repository): ReadonlyArray<Finding> => repository.files.flatMap(judge)

function judge(file: TextFile): ReadonlyArray<Finding> {
  return (file.path === "pnpm-lock.yaml" ? [...patterns, inLockfile] : patterns).flatMap(({ rule, pattern, message }) =>
    Array.from(file.text.matchAll(pattern), (match) => ({
      path: file.path,
      line: lineAt(file.text, match.index),
      rule,
      message: `"${match[0]}" ${message}`
    }))
  )
}
