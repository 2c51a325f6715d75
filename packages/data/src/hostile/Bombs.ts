/** Archives that are small on the wire and large on disk, or that hold more entries than anybody wants. */
import { claim, type HostileArchive, make, refuse } from "../HostileArchive.ts"
import { concat, crc32, crc32Joined, littleEndian, raw } from "../internal/binary.ts"
import { deflate, gzip } from "../internal/deflate.ts"
import { member, Type, tar } from "../internal/tarBytes.ts"
import { local, withDirectory, zip, type ZipEntry } from "../internal/zipBytes.ts"

const MiB = 2 ** 20

/** What the bombs that really expand expand to, in bytes: enough to pass a limit of 16 MiB less one byte. */
export const expanded = 16 * MiB

const nothing = new Uint8Array()
const zeros = { size: expanded, crc: crc32(nothing, expanded) }
const bombStream = deflate(nothing, expanded)
const plainZip = zip({ name: "zeros", content: bombStream, deflated: zeros })

type Deflated = ZipEntry & Required<Pick<ZipEntry, "content" | "deflated">>

/**
 * Fifield's quoted overlap: an entry's stream is one stored block that quotes the next entry's local header, followed by that entry's own
 * stream. All entries share the last one's bytes and each is whole, with its own name, size and checksum.
 */
function overlapping(count: number): { readonly bytes: Uint8Array; readonly entries: ReadonlyArray<Deflated> } {
  let entry: Deflated = {
    name: `zeros-${count - 1}`,
    content: deflate(nothing, MiB),
    deflated: { size: MiB, crc: crc32(nothing, MiB) }
  }
  const entries = [entry]
  for (let index = count - 2; index >= 0; index--) {
    const inner = local(entry)
    const header = inner.subarray(0, inner.length - raw(entry.content).length)
    const { crc, size } = entry.deflated
    const quote = concat(Uint8Array.of(0), littleEndian([2, header.length], [2, 0xffff - header.length]))
    entry = {
      name: `zeros-${index}`,
      content: concat(quote, inner),
      deflated: { size: header.length + size, crc: crc32Joined(crc32(header), crc, size) }
    }
    entries.unshift(entry)
  }
  const body = local(entry)
  const at = (each: Deflated) => body.length - local(each).length
  return {
    bytes: withDirectory(
      body,
      entries.map((each) => [each, at(each)])
    ),
    entries
  }
}

const overlap = overlapping(256)
const manyNames = Array.from({ length: 5000 }, (_, index) => `empty-${index}`)

const tarHead = member({ name: "zeros", size: expanded })
const tarBomb = gzip(deflate(tarHead, expanded + 1024), crc32(tarHead, expanded + 1024), 512 + expanded + 1024)

/** 4 GiB of which 512 bytes are stored: GNU's old sparse map at byte 386, the real size at byte 483. */
const sparseSize = 2 ** 32
const octal = (value: number) => `${value.toString(8).padStart(11, "0")}\0`
const sparseMap = octal(0) + octal(512) + octal(sparseSize) + octal(0) + "\0".repeat(49) + octal(sparseSize)

const amplification = "https://cwe.mitre.org/data/definitions/409.html"
const fifield = "https://www.bamsoftware.com/hacks/zipbomb/"

export const bombs: ReadonlyArray<HostileArchive> = [
  make({
    name: "zip-bomb",
    family: "bomb",
    format: "zip",
    bytes: plainZip,
    claims: [claim("zeros", { size: expanded })],
    required: refuse,
    why: "one entry expands about a thousandfold, as declared",
    source: amplification
  }),
  make({
    name: "zip-bomb-understated",
    family: "bomb",
    format: "zip",
    bytes: zip({ name: "zeros", content: bombStream, deflated: { ...zeros, size: 1 } }),
    claims: [claim("zeros", { size: 1 })],
    expandsTo: expanded,
    required: refuse,
    why: "the declared size is 1 byte, so a limit must count what is expanded, not what is declared",
    source: amplification
  }),
  make({
    name: "zip-bomb-overlap",
    family: "bomb",
    format: "zip",
    bytes: overlap.bytes,
    claims: overlap.entries.map(({ name, deflated }) => claim(name, { size: deflated.size })),
    required: refuse,
    why: "256 entries share one compressed megabyte: the whole expands some ten-thousandfold while each entry looks modest",
    source: fifield
  }),
  make({
    name: "zip-bomb-nested",
    family: "bomb",
    format: "zip",
    bytes: zip({ name: "inner.zip", content: plainZip }),
    claims: [claim("inner.zip", { size: plainZip.length })],
    required: {
      _tag: "RefuseOrContain",
      contained: "inner.zip is written as a file and not opened"
    },
    why: "an extractor that goes into archives expands the inner bomb",
    source: fifield
  }),
  make({
    name: "zip-many-entries",
    family: "bomb",
    format: "zip",
    bytes: zip(...manyNames.map((name) => ({ name }))),
    claims: manyNames.map((name) => claim(name)),
    required: refuse,
    why: "5,000 empty files use up inodes and time while the declared size is 0",
    source: "https://cwe.mitre.org/data/definitions/400.html"
  }),
  make({
    name: "tar-gz-bomb",
    family: "bomb",
    format: "tar.gz",
    bytes: tarBomb,
    claims: [claim("zeros", { size: expanded })],
    required: refuse,
    why: "one entry expands about a thousandfold",
    source: amplification
  }),
  make({
    name: "tar-sparse-bomb",
    family: "bomb",
    format: "tar",
    bytes: tar({
      name: "sparse",
      type: Type.sparse,
      gnu: true,
      content: "x".repeat(512),
      patch: { at: 386, bytes: raw(sparseMap) }
    }),
    claims: [claim("sparse", { size: sparseSize })],
    required: refuse,
    why: "a GNU sparse entry of 512 stored bytes is a file of 4 GiB; written without holes it fills the disk",
    source: "https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html"
  })
]
