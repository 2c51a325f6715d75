/** Archives that are cut short, whose checksums are wrong, or whose headers disagree about where a member ends. */
import { claim, contain, type HostileArchive, make, payload, refuse } from "../HostileArchive.ts"
import { concat, crc32, raw } from "../internal/binary.ts"
import { deflate, gzip } from "../internal/deflate.ts"
import { base256, member, pax, tar, Type } from "../internal/tarBytes.ts"
import { zip } from "../internal/zipBytes.ts"

const cwe354 = "https://cwe.mitre.org/data/definitions/354.html"
const cwe130 = "https://cwe.mitre.org/data/definitions/130.html"
const gnuSize = "https://www.gnu.org/software/tar/manual/html_node/Extensions.html"

const content = "0123456789".repeat(200)
const whole = tar({ name: "first", content: payload }, { name: "second", content })
const first = claim("first", { size: payload.length })
const second = claim("second", { size: content.length })
const wholeZip = zip({ name: "first", content: payload }, { name: "second", content })
const zipped = gzip(deflate(whole, 0), crc32(whole), whole.length)

const cut: ReadonlyArray<HostileArchive> = [
  make({
    name: "tar-truncated-header",
    family: "damage",
    format: "tar",
    bytes: whole.slice(0, 1024 + 200),
    claims: [first],
    required: refuse,
    why: "the archive ends within the second header; a silent end looks like a whole archive",
    source: cwe130
  }),
  make({
    name: "tar-truncated-content",
    family: "damage",
    format: "tar",
    bytes: whole.slice(0, 1024 + 512 + 1000),
    claims: [first, second],
    required: refuse,
    why: "the archive ends within the second file, whose rest must not be made up or left out silently",
    source: cwe130
  }),
  make({
    name: "tar-gz-truncated",
    family: "damage",
    format: "tar.gz",
    bytes: zipped.slice(0, -600),
    claims: [first, second],
    required: refuse,
    why: "the compressed stream has no end",
    source: cwe130
  }),
  make({
    name: "zip-truncated",
    family: "damage",
    format: "zip",
    bytes: wholeZip.slice(0, -80),
    claims: [],
    required: refuse,
    why: "the central directory's end is missing",
    source: cwe130
  })
]

const checksums: ReadonlyArray<HostileArchive> = [
  make({
    name: "tar-checksum",
    family: "damage",
    format: "tar",
    bytes: tar({ name: "first", content: payload, checksumError: 1 }),
    claims: [],
    required: refuse,
    why: "the header's checksum is wrong, so none of its fields can be believed",
    source: cwe354
  }),
  make({
    name: "tar-gz-checksum",
    family: "damage",
    format: "tar.gz",
    bytes: gzip(deflate(whole, 0), crc32(whole) ^ 1, whole.length),
    claims: [first, second],
    required: refuse,
    why: "the expanded bytes are not those that were compressed",
    source: cwe354
  }),
  make({
    name: "zip-checksum",
    family: "damage",
    format: "zip",
    bytes: zip({ name: "first", content: payload, crc: crc32(raw(payload)) ^ 1 }),
    claims: [first],
    required: refuse,
    why: "the file's bytes are not those that were archived",
    source: cwe354
  })
]

/** A whole member, header and content, as the content of another. */
const smuggled = member({ name: "smuggled", content: payload })

const sizes: ReadonlyArray<HostileArchive> = [
  make({
    name: "tar-pax-size",
    family: "damage",
    format: "tar",
    bytes: tar(pax({ size: String(smuggled.length) }), { name: "outer", size: 0, content: smuggled }),
    claims: [claim("outer", { size: smuggled.length })],
    required: contain(`outer with ${smuggled.length} bytes and no file smuggled`),
    why: "the pax record says the content is a header and a file, the ustar field says 0; a reader that skips by the latter extracts a hidden entry",
    source: "https://www.cve.org/CVERecord?id=CVE-2025-62518"
  }),
  make({
    name: "tar-size-negative",
    family: "damage",
    format: "tar",
    bytes: tar({ name: "negative", sizeField: base256(-512n) }, { name: "first", content: payload }),
    claims: [],
    required: refuse,
    why: "a base-256 size of -512 sends a reader back to the header it has just read",
    source: gnuSize
  }),
  make({
    name: "tar-size-huge",
    family: "damage",
    format: "tar",
    bytes: tar({ name: "huge", sizeField: base256(2n ** 62n), content: payload }),
    claims: [claim("huge", { size: 2 ** 62 })],
    expandsTo: payload.length,
    required: refuse,
    why: "a base-256 size of 2^62 overflows sums and is no integer in a double; memory must not be reserved for it",
    source: gnuSize
  }),
  make({
    name: "tar-size-no-number",
    family: "damage",
    format: "tar",
    bytes: tar({ name: "letters", sizeField: raw("sbx is here\0"), content: payload }),
    claims: [],
    required: refuse,
    why: "the size field is no octal number; taken as 0 it makes the content a header",
    source: cwe130
  }),
  make({
    name: "tar-pax-header-huge",
    family: "damage",
    format: "tar",
    bytes: tar({ name: "PaxHeaders/x", type: Type.pax, size: 2 ** 33 - 1 }),
    claims: [],
    expandsTo: 0,
    required: refuse,
    why: "an extended header claims 8 GiB; a reader that holds it in memory fails before any limit on files",
    source: "https://www.cve.org/CVERecord?id=CVE-2022-2879"
  }),
  make({
    name: "tar-pax-record-length",
    family: "damage",
    format: "tar",
    bytes: tar(
      { name: "PaxHeaders/x", type: Type.pax, content: "999 path=../sbx-escaped\n" },
      { name: "first", content: payload }
    ),
    claims: [],
    required: refuse,
    why: "a record claims more bytes than its header holds",
    source: "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html"
  }),
  make({
    name: "tar-trailing-archive",
    family: "damage",
    format: "tar",
    bytes: concat(tar({ name: "first", content: payload }), tar({ name: "hidden", content: payload })),
    claims: [first],
    required: contain("first alone: two zero blocks end the archive"),
    why: "a reader that goes on after the end extracts what a checker did not see",
    source: "https://www.gnu.org/software/tar/manual/html_node/Standard.html"
  })
]

export const damage: ReadonlyArray<HostileArchive> = [...cut, ...checksums, ...sizes]
