/** Archives whose names a file system cannot hold, cannot tell apart, or reads differently from the reader. */
import { claim, contain, type HostileArchive, make, payload, type Required, refuse } from "../HostileArchive.ts"
import { concat, raw } from "../internal/binary.ts"
import { pax, tar } from "../internal/tarBytes.ts"
import { zip } from "../internal/zipBytes.ts"

interface Plan {
  readonly title: string
  readonly names: ReadonlyArray<string | Uint8Array>
  readonly required: Required
  readonly why: string
  readonly source: string
}

const limits = "https://man7.org/linux/man-pages/man0/limits.h.0p.html"
const cwe178 = "https://cwe.mitre.org/data/definitions/178.html"
const cwe176 = "https://cwe.mitre.org/data/definitions/176.html"
const cwe158 = "https://cwe.mitre.org/data/definitions/158.html"
const cwe694 = "https://cwe.mitre.org/data/definitions/694.html"
const bothKept = "both files on a file system that tells the names apart; else an error"

const plans: ReadonlyArray<Plan> = [
  {
    title: "deep",
    names: ["d/".repeat(1000) + "f"],
    required: contain("the file, 1000 folders down; removing and walking it works"),
    why: "a recursive walk or removal runs out of stack or descriptors",
    source: "https://cwe.mitre.org/data/definitions/674.html"
  },
  {
    title: "path-max",
    names: ["d/".repeat(2500) + "f"],
    required: refuse,
    why: "5001 bytes are above PATH_MAX (4096 with the closing NUL)",
    source: limits
  },
  {
    title: "name-255",
    names: ["n".repeat(255)],
    required: contain("the file under its full name"),
    why: "the longest name a Linux file system holds; a temporary name made by adding to it does not fit",
    source: limits
  },
  {
    title: "name-256",
    names: ["n".repeat(256)],
    required: refuse,
    why: "one byte above NAME_MAX; a name cut short is another file",
    source: limits
  },
  {
    title: "invalid-utf8",
    names: [Uint8Array.of(0x66, 0xff, 0xfe)],
    required: contain("one file directly in the target, under the same bytes or an escaped form of them"),
    why: "Linux holds any bytes; a reader that decodes them as UTF-8 loses the name or fails",
    source: cwe176
  },
  {
    title: "overlong-utf8",
    names: [concat(Uint8Array.of(0xc0, 0xae, 0xc0, 0xae, 0xc0, 0xaf), raw("sbx-escaped"))],
    required: contain("one file directly in the target, under the same bytes or an escaped form of them"),
    why: 'a lenient decoder reads the overlong bytes as "../"',
    source: "https://www.rfc-editor.org/rfc/rfc3629#section-10"
  },
  {
    title: "nul",
    names: ["report.txt\0.sh"],
    required: refuse,
    why: "the check sees the whole name, the system call the part before NUL",
    source: cwe158
  },
  {
    title: "newline",
    names: ["a\nb\x1b[2J"],
    required: contain("one file under this name, which is escaped when printed"),
    why: "the name ends a line in a list and drives the terminal that prints it",
    source: "https://cwe.mitre.org/data/definitions/150.html"
  },
  {
    title: "duplicate",
    names: ["twice", "twice"],
    required: contain("one file with the later content"),
    why: "what was checked is the first, what is used is the second",
    source: cwe694
  },
  {
    title: "case-fold",
    names: ["Name", "nAME"],
    required: contain(bothKept),
    why: "one name on a case-insensitive file system: the second overwrites the first",
    source: cwe178
  },
  {
    title: "normalisation",
    names: ["\u00e9", "e\u0301"],
    required: contain(bothKept),
    why: "one name on a file system that normalises Unicode",
    source: cwe176
  },
  {
    title: "below-file",
    names: ["a", "a/b"],
    required: refuse,
    why: "the second entry needs the first to be a directory",
    source: cwe694
  }
]

/** Above 100 bytes, or with NUL in it, a name needs a pax record. */
const inTar = (name: string | Uint8Array) =>
  raw(name).length > 100 || raw(name).includes(0)
    ? [pax({ path: name }), { name: "harmless", content: payload }]
    : [{ name, content: payload }]

const archives = ({ title, names, ...plan }: Plan): ReadonlyArray<HostileArchive> => {
  const claims = names.map((name) => claim(name, { size: payload.length }))
  const common = { ...plan, family: "name", claims } as const
  return [
    make({ ...common, name: `tar-${title}`, format: "tar", bytes: tar(...names.flatMap(inTar)) }),
    make({
      ...common,
      name: `zip-${title}`,
      format: "zip",
      bytes: zip(...names.map((name) => ({ name, content: payload })))
    })
  ]
}

export const names: ReadonlyArray<HostileArchive> = plans.flatMap(archives)
