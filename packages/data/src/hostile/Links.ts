/** Archives that make links first and write through them later, and links that never end. */
import {
  claim,
  contain,
  escapee,
  type HostileArchive,
  make,
  payload,
  type Required,
  refuse
} from "../HostileArchive.ts"
import { tar, type TarEntry, Type } from "../internal/tarBytes.ts"
import { Kind, zip } from "../internal/zipBytes.ts"

type Step = readonly ["directory" | "file", string] | readonly ["symlink" | "hardlink", string, string]

interface Plan {
  readonly title: string
  readonly steps: ReadonlyArray<Step>
  readonly escapes: ReadonlyArray<string>
  readonly required: Required
  readonly why: string
  readonly source: string
}

const cwe59 = "https://cwe.mitre.org/data/definitions/59.html"
const pep706 = "https://peps.python.org/pep-0706/"
const outside = [`../${escapee}`]

const plans: ReadonlyArray<Plan> = [
  {
    title: "symlink-parent",
    steps: [
      ["symlink", "out", ".."],
      ["file", `out/${escapee}`]
    ],
    escapes: outside,
    required: refuse,
    why: "the second name has no climb in it; the link that it goes through has",
    source: pep706
  },
  {
    title: "symlink-absolute",
    steps: [
      ["symlink", "out", "/"],
      ["file", `out/${escapee}`]
    ],
    escapes: [`/${escapee}`],
    required: refuse,
    why: "the link leads to the root folder and the next entry is written through it",
    source: pep706
  },
  {
    title: "symlink-chain",
    steps: [
      ["directory", "d"],
      ["symlink", "d/up", ".."],
      ["symlink", "out", "d/up/.."],
      ["file", `out/${escapee}`]
    ],
    escapes: outside,
    required: refuse,
    why: 'each target stays inside when judged as text; "d/up/.." is the target\'s parent once d/up is a link',
    source: cwe59
  },
  {
    title: "symlink-replaced",
    steps: [
      ["symlink", "inner", `../${escapee}`],
      ["file", "inner"]
    ],
    escapes: outside,
    required: contain("inner is a regular file; the link was removed, not followed"),
    why: "opening an existing name for writing follows the link that lies there",
    source: cwe59
  },
  {
    title: "symlink-over-directory",
    steps: [
      ["directory", "d"],
      ["symlink", "d", ".."],
      ["file", `d/${escapee}`]
    ],
    escapes: outside,
    required: refuse,
    why: "a reader that remembers d as a directory it made does not look again after d became a link",
    source: "https://www.cve.org/CVERecord?id=CVE-2021-32803"
  },
  {
    title: "symlink-loop",
    steps: [
      ["symlink", "a", "b"],
      ["symlink", "b", "a"],
      ["file", "a/x"]
    ],
    escapes: [],
    required: refuse,
    why: "resolving a/x never ends, or ends with ELOOP",
    source: "https://man7.org/linux/man-pages/man7/path_resolution.7.html"
  },
  {
    title: "symlink-self",
    steps: [["symlink", "a", "a"]],
    escapes: [],
    required: contain("the link as it stands; walking and reading the tree afterwards ends"),
    why: "a walk that follows links never ends",
    source: "https://man7.org/linux/man-pages/man7/path_resolution.7.html"
  },
  {
    title: "symlink-dangling-outside",
    steps: [["symlink", "out", `../${escapee}-unwritten`]],
    escapes: [],
    required: contain("the link as it stands; nothing is read or written through it"),
    why: "whoever later reads or writes out acts outside the target",
    source: cwe59
  },
  {
    title: "hardlink-parent",
    steps: [
      ["hardlink", "inner", `../${escapee}`],
      ["file", "inner"]
    ],
    escapes: outside,
    required: refuse,
    why: "a hard link gives a name inside to a file outside; writing to the name writes to the file",
    source: pep706
  },
  {
    title: "hardlink-absolute",
    steps: [
      ["hardlink", "inner", `/${escapee}`],
      ["file", "inner"]
    ],
    escapes: [`/${escapee}`],
    required: refuse,
    why: "the link's target is an absolute path",
    source: pep706
  },
  {
    title: "hardlink-through-symlink",
    steps: [
      ["symlink", "out", ".."],
      ["hardlink", "inner", `out/${escapee}`],
      ["file", "inner"]
    ],
    escapes: outside,
    required: refuse,
    why: "the hard link's target has no climb in it; the symbolic link that it goes through has",
    source: pep706
  },
  {
    title: "hardlink-missing",
    steps: [["hardlink", "inner", "nowhere"]],
    escapes: [],
    required: refuse,
    why: "the target is not in the archive; nothing honest can be extracted",
    source: "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html"
  }
]

const inTar = ([kind, name, link]: Step): TarEntry => ({
  name,
  type: Type[kind],
  ...(link === undefined ? {} : { link }),
  ...(kind === "file" ? { content: payload } : {}),
  ...(kind === "symlink" ? { mode: 0o777 } : {})
})

const inZip = ([kind, name, link]: Step) =>
  kind === "directory"
    ? { name: `${name}/`, mode: Kind.directory + 0o755 }
    : kind === "symlink"
      ? { name, mode: Kind.symlink + 0o777, content: link }
      : { name, content: payload }

const claimed = ([kind, name, target]: Step) =>
  claim(name, { kind, size: kind === "file" ? payload.length : 0, target: target ?? "" })

const archives = ({ title, steps, ...plan }: Plan): ReadonlyArray<HostileArchive> => {
  const common = { ...plan, family: "link", claims: steps.map(claimed) } as const
  const asTar = make({ ...common, name: `tar-${title}`, format: "tar", bytes: tar(...steps.map(inTar)) })
  // Zip has no hard links.
  return steps.some(([kind]) => kind === "hardlink")
    ? [asTar]
    : [asTar, make({ ...common, name: `zip-${title}`, format: "zip", bytes: zip(...steps.map(inZip)) })]
}

export const links: ReadonlyArray<HostileArchive> = plans.flatMap(archives)
