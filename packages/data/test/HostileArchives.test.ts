import { assert, describe, it } from "@effect/vitest"
import * as zlib from "node:zlib"
import * as Checksum from "../src/Checksum.ts"
import { declaredSize, escapee, type HostileArchive } from "../src/HostileArchive.ts"
import * as HostileArchives from "../src/HostileArchives.ts"
import { expanded } from "../src/hostile/Bombs.ts"

const find = (name: string): HostileArchive =>
  HostileArchives.all.find((archive) => archive.name === name) ?? assert.fail(`no archive ${name}`)

/** The compressed bytes of a zip's first entry, found through its local header (APPNOTE 4.3.7). */
const firstStream = (bytes: Uint8Array): Uint8Array => {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const at = 30 + view.getUint16(26, true) + view.getUint16(28, true)
  return bytes.subarray(at, at + view.getUint32(18, true))
}

describe("HostileArchives", () => {
  it("names each archive once and covers every family in tar and zip", () => {
    const names = HostileArchives.all.map((archive) => archive.name)
    assert.strictEqual(new Set(names).size, names.length)
    const kinds = new Set(HostileArchives.all.map(({ family, format }) => `${family} ${format}`))
    for (const family of ["bomb", "damage", "link", "name", "node", "traversal"]) {
      assert.includeMembers([...kinds], [`${family} tar`, `${family} zip`])
    }
  })

  it("is small on the wire", () => {
    const sizes = HostileArchives.all.map((archive) => archive.bytes.length)
    assert.isBelow(Math.max(...sizes), 600_000)
    assert.isBelow(
      sizes.reduce((sum, size) => sum + size, 0),
      1_000_000
    )
  })

  it("has the same bytes in every release", () => {
    const sums = HostileArchives.all.map(({ name, bytes }) => `${Checksum.ofBytes(bytes)}  ${name}\n`).join("")
    assert.strictEqual(Checksum.ofText(sums), "e1b8175af841276cb2efc8dd331050ff7c31735446598429cb32ddf0fcad688e")
  })

  it("says why, from where, and what is harmless", () => {
    for (const archive of HostileArchives.all) {
      assert.match(archive.source, /^https:\/\/\S+( \(.+\))?$/, archive.name)
      assert.isNotEmpty(archive.why, archive.name)
      if (archive.required._tag === "RefuseOrContain") assert.isNotEmpty(archive.required.contained, archive.name)
    }
  })

  it("escapes to one base name only", () => {
    for (const { name, escapes } of HostileArchives.all) {
      for (const path of escapes) assert.match(path, new RegExp(`^(\\.\\./|/)${escapee}$`), name)
    }
    const climbing = HostileArchives.all.filter((archive) => archive.escapes.length > 0)
    assert.isAbove(climbing.length, 20)
  })

  it("expands its zip bombs to what they say", () => {
    for (const name of ["zip-bomb", "zip-bomb-understated"]) {
      const archive = find(name)
      assert.strictEqual(zlib.inflateRawSync(firstStream(archive.bytes)).length, expanded)
      assert.strictEqual(archive.expandsTo, expanded)
      assert.isAbove(archive.expandsTo / archive.bytes.length, 1000)
    }
    assert.strictEqual(declaredSize(find("zip-bomb-understated")), 1)
    const overlap = find("zip-bomb-overlap")
    assert.strictEqual(zlib.inflateRawSync(firstStream(overlap.bytes)).length, overlap.claims[0]?.size)
    assert.isAbove(declaredSize(overlap), 2 ** 28)
    assert.isAbove(declaredSize(overlap) / overlap.bytes.length, 8000)
  })

  it("expands its tar.gz bomb to a header, the zeros and the end", () => {
    const archive = find("tar-gz-bomb")
    assert.strictEqual(zlib.gunzipSync(archive.bytes).length, 512 + expanded + 1024)
    assert.isAbove(expanded / archive.bytes.length, 900)
  })

  it("breaks gzip where it says so and nowhere else", () => {
    assert.throws(() => zlib.gunzipSync(find("tar-gz-checksum").bytes), /incorrect data check/)
    assert.throws(() => zlib.gunzipSync(find("tar-gz-truncated").bytes), /unexpected end of file/)
  })
})
