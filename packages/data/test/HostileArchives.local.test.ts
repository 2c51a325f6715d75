/** The archives read by Python's own tarfile and zipfile, and extracted by a careless program. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { type HostileArchive, payload } from "../src/HostileArchive.ts"
import * as HostileArchives from "../src/HostileArchives.ts"
import * as Tree from "../src/Tree.ts"
import { exists, inFolder, run } from "./runSample.ts"

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const fileName = (archive: HostileArchive) => `${archive.name}.${archive.format}`

const Row = Schema.Tuple([Schema.String, Schema.String, Schema.Finite, Schema.Finite, Schema.String])
const decodeLine = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.Array(Row), Schema.String]))
)

/** What Python says of the archives that it cannot read, or whose content it finds wrong. */
const complaints: Record<string, RegExp> = {
  "zip-bomb-understated": /Bad CRC-32/,
  "zip-traversal-local-name": /File name in directory 'harmless' and header b'\.\.\/sbx-escaped' differ/,
  "tar-truncated-content": /unexpected end of data/,
  "tar-gz-truncated": /ended before the end-of-stream marker/,
  "zip-truncated": /not a zip file/,
  "tar-checksum": /bad checksum/,
  "tar-gz-checksum": /CRC check failed/,
  "zip-checksum": /Bad CRC-32/,
  "tar-size-no-number": /invalid header/,
  "tar-pax-header-huge": /empty header/,
  "tar-size-huge": /./
}

/** Python believes these two; its answers are what a careless reader gets, and show that the trick is there. */
const believed: Record<string, (rows: ReadonlyArray<typeof Row.Type>) => void> = {
  "tar-size-negative": (rows) => assert.strictEqual(rows[0]?.[2], -512),
  "tar-pax-record-length": (rows) => assert.match(rows[0]?.[0] ?? "", /^2e2e2f/)
}

const available = exists("python3")
if (!available) process.stderr.write("skipped: hostile archives read by python3, which is not on this machine\n")

const corpus = Tree.makeUnsafe(HostileArchives.all.map((archive) => Tree.file(fileName(archive), archive.bytes)))

describe.runIf(available)("hostile archives, read here", () => {
  it("are what they claim", () => {
    const names = HostileArchives.all.map(fileName)
    const seen = inFolder(corpus, (folder) => run(folder, ["python3", script("readArchives.py"), ...names]))
    assert.strictEqual(seen.stderr, "")
    const lines = seen.stdout
      .trim()
      .split("\n")
      .map((line) => decodeLine(line))
    assert.deepStrictEqual(
      lines.map(([name]) => name),
      names
    )
    HostileArchives.all.forEach((archive, index) => {
      const [, rows, error] = lines[index] ?? assert.fail(archive.name)
      assert.match(error, complaints[archive.name] ?? /^$/, archive.name)
      const check = believed[archive.name]
      if (check !== undefined) return check(rows)
      const claims = archive.claims.map(({ name, kind, size, mode, target }) => [
        Buffer.from(name).toString("hex"),
        kind,
        size,
        mode,
        target
      ])
      assert.deepStrictEqual(
        rows.map((row) => [...row]),
        claims,
        archive.name
      )
    })
  })
})

/** Python's extractor makes no link over a directory, and a backslash is no separator here. */
const notHere = new Set(["tar-symlink-over-directory", "tar-traversal-backslash"])

const climbing = HostileArchives.all.filter(
  ({ format, escapes, name }) =>
    format === "tar" && escapes.length > 0 && escapes.every((at) => at.startsWith("../")) && !notHere.has(name)
)

/** Extracts it below a folder that holds a file of ours, and gives that file's content afterwards. */
const afterCareless = (archive: HostileArchive) =>
  inFolder(
    Tree.makeUnsafe([
      Tree.file("careless/sbx-escaped", "ours\n"),
      Tree.directory("careless/target/a"),
      Tree.file(`careless/${archive.name}.tar`, archive.bytes)
    ]),
    (folder) => {
      const inner = path.join(folder, "careless")
      const seen = run(inner, ["python3", script("extractCarelessly.py"), inner, `${archive.name}.tar`])
      assert.strictEqual(seen.stderr, "", archive.name)
      return fs.readFileSync(path.join(inner, "sbx-escaped"), "utf8")
    }
  )

const filters = available && run(".", ["python3", "-c", "import tarfile; tarfile.fully_trusted_filter"]).exitCode === 0
if (available && !filters) process.stderr.write("skipped: careless extraction, python3 has no tarfile filters\n")

describe.runIf(filters)("hostile archives, extracted carelessly here", () => {
  it("cover the ways out", () => assert.isAbove(climbing.length, 9))

  for (const archive of climbing) {
    it(`${archive.name} overwrites the file outside`, () => assert.strictEqual(afterCareless(archive), payload))
  }

  it("leave the file alone when nothing climbs", () => {
    const harmless = HostileArchives.all.find(({ name }) => name === "tar-duplicate") ?? assert.fail("no archive")
    assert.strictEqual(afterCareless(harmless), "ours\n")
  })
})
