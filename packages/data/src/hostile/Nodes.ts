/** Archives that hold what is no plain file: devices, pipes, and bits that lend somebody's rights. */
import { claim, contain, type HostileArchive, type Kind as EntryKind, make, refuse } from "../HostileArchive.ts"
import { tar, Type } from "../internal/tarBytes.ts"
import { Kind, zip } from "../internal/zipBytes.ts"

const pep706 = "https://peps.python.org/pep-0706/"
const cwe732 = "https://cwe.mitre.org/data/definitions/732.html"

const special: ReadonlyArray<
  readonly [EntryKind & ("block" | "character" | "fifo"), readonly [number, number], string]
> = [
  ["character", [1, 1], "1:1 is /dev/mem: whoever opens it has the machine's memory"],
  ["block", [8, 0], "8:0 is /dev/sda: whoever opens it has the machine's disk"],
  ["fifo", [0, 0], "a reader of the extracted tree waits for a writer for ever"]
]

const nodes = special.flatMap(([kind, device, why]) => [
  make({
    name: `tar-${kind}`,
    family: "node",
    format: "tar",
    bytes: tar({ name: kind, type: Type[kind], mode: 0o666, device }),
    claims: [claim(kind, { kind, mode: 0o666 })],
    required: refuse,
    why,
    source: pep706
  }),
  make({
    name: `zip-${kind}`,
    family: "node",
    format: "zip",
    bytes: zip({ name: kind, mode: Kind[kind] + 0o666 }),
    claims: [claim(kind, { kind, mode: 0o666 })],
    required: contain("an empty regular file"),
    why,
    source: pep706
  })
])

const bits: ReadonlyArray<readonly [string, number, string]> = [
  ["setuid", 0o4755, "the program runs with the extracting user's rights, whoever starts it"],
  ["setgid", 0o2755, "the program runs with the extracting group's rights, whoever starts it"],
  ["sticky", 0o1644, "the bit has no meaning on a file and is not the archive's to set"]
]

const modes = bits.flatMap(([title, mode, why]) => {
  const common = {
    family: "node",
    claims: [claim(title, { mode })],
    required: contain(`a file of mode 0${(mode & 0o777).toString(8)}, without the bit`),
    why,
    source: cwe732
  } as const
  return [
    make({ ...common, name: `tar-${title}`, format: "tar", bytes: tar({ name: title, mode }) }),
    make({ ...common, name: `zip-${title}`, format: "zip", bytes: zip({ name: title, mode: Kind.file + mode }) })
  ]
})

export const specials: ReadonlyArray<HostileArchive> = [
  ...nodes,
  ...modes,
  make({
    name: "tar-setgid-directory",
    family: "node",
    format: "tar",
    bytes: tar({ name: "d", type: Type.directory, mode: 0o2777 }),
    claims: [claim("d", { kind: "directory", mode: 0o2777 })],
    required: contain("a directory without the set-group-id bit"),
    why: "files made in it later belong to a group that the archive chose",
    source: cwe732
  })
]
