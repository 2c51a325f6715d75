/** Archives whose entry names lead out of the target folder, in each field that a name can come from. */
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
import { longName, pax, tar, type TarEntry, Type } from "../internal/tarBytes.ts"
import { unicodePath, zip } from "../internal/zipBytes.ts"

const zipSlip = "https://security.snyk.io/research/zip-slip-vulnerability"
const cwe22 = "https://cwe.mitre.org/data/definitions/22.html"
const asName = contain("one file whose whole name is the text as it stands, which POSIX allows, directly in the target")

interface Climb {
  readonly title: string
  readonly name: string
  readonly escapes: ReadonlyArray<string>
  readonly required: Required
  readonly why: string
}

const climbs: ReadonlyArray<Climb> = [
  {
    title: "parent",
    name: `../${escapee}`,
    escapes: [`../${escapee}`],
    required: refuse,
    why: "the name climbs to the target's parent"
  },
  {
    title: "dot-parent",
    name: `./../${escapee}`,
    escapes: [`../${escapee}`],
    required: refuse,
    why: 'a leading "./" hides the climb from a test of the first two characters'
  },
  {
    title: "inner-parent",
    name: `a/../../${escapee}`,
    escapes: [`../${escapee}`],
    required: refuse,
    why: "the climb comes after a name, so a test of the beginning misses it"
  },
  {
    title: "absolute",
    name: `/${escapee}`,
    escapes: [`/${escapee}`],
    required: contain(`${escapee} in the target, the leading slash removed, as tar(1) does`),
    why: "joining an absolute name to the target gives the name alone in many languages"
  },
  {
    title: "backslash",
    name: `..\\${escapee}`,
    escapes: [`../${escapee}`],
    required: asName,
    why: "a backslash separates folders on Windows and in readers that translate it"
  },
  {
    title: "drive",
    name: `C:\\${escapee}`,
    escapes: [],
    required: asName,
    why: "a drive letter makes the name absolute on Windows"
  },
  {
    title: "unc",
    name: `\\\\host\\share\\${escapee}`,
    escapes: [],
    required: asName,
    why: "a UNC name leads to another machine on Windows"
  }
]

const fields = { size: payload.length }

const plain = climbs.flatMap(({ title, name, ...climb }) => [
  make({
    ...climb,
    name: `tar-traversal-${title}`,
    family: "traversal",
    format: "tar",
    bytes: tar({ name, content: payload }),
    claims: [claim(name, fields)],
    source: cwe22
  }),
  make({
    ...climb,
    name: `zip-traversal-${title}`,
    family: "traversal",
    format: "zip",
    bytes: zip({ name, content: payload }),
    claims: [claim(name, fields)],
    source: zipSlip
  })
])

const climbing = `../${escapee}`

/** A tar whose climbing name is not in the header's name field. */
const hidden = (name: string, why: string, source: string, ...entries: ReadonlyArray<TarEntry>) =>
  make({
    name,
    family: "traversal",
    format: "tar",
    bytes: tar(...entries),
    claims: [claim(climbing, fields)],
    escapes: [climbing],
    required: refuse,
    why,
    source
  })

const posix = "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html"

export const traversal: ReadonlyArray<HostileArchive> = [
  ...plain,
  hidden("tar-traversal-prefix", "the climb is in the ustar prefix, the name field is harmless", posix, {
    name: escapee,
    prefix: "..",
    content: payload
  }),
  hidden("tar-traversal-pax-path", "a pax path record overrides the harmless name", posix, pax({ path: climbing }), {
    name: "harmless",
    content: payload
  }),
  hidden(
    "tar-traversal-long-name",
    "a GNU long name overrides the harmless name",
    "https://www.gnu.org/software/tar/manual/html_node/Standard.html",
    longName(climbing),
    { name: "harmless", content: payload, gnu: true }
  ),
  make({
    name: "tar-traversal-parent-directory",
    family: "traversal",
    format: "tar",
    bytes: tar({ name: "..", type: Type.directory, mode: 0o777 }),
    claims: [claim("..", { kind: "directory", mode: 0o777 })],
    required: refuse,
    why: "a directory entry sets the mode of the target's parent",
    source: cwe22
  }),
  make({
    name: "zip-traversal-unicode-path",
    family: "traversal",
    format: "zip",
    bytes: zip({ name: "harmless", content: payload, extra: unicodePath("harmless", climbing) }),
    claims: [claim("harmless", fields)],
    escapes: [climbing],
    required: contain("harmless in the target, the extra field ignored"),
    why: "readers that honour the Unicode path field take the climbing name from it",
    source: "https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.6.9)"
  }),
  make({
    name: "zip-traversal-local-name",
    family: "traversal",
    format: "zip",
    bytes: zip({ name: "harmless", localName: climbing, content: payload }),
    claims: [claim("harmless", fields)],
    escapes: [climbing],
    required: contain("harmless in the target, named by the central directory"),
    why: "a check of the central directory passes while a streaming reader takes the local header's name",
    source: "https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.7, 4.3.12)"
  })
]
