import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { any, Journal, streamName } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as JournalCopy from "../src/JournalCopy.ts"
import { directory } from "./support/commandLine.ts"
import { commandLine } from "./support/inProcess.ts"

const mark = "a sentence that stands in the middle of the file"

/** A journal of several pages, with one event that can be found by its text. */
const write = Effect.fnUntraced(function* (file: string) {
  yield* Effect.gen(function* () {
    const journal = yield* Journal
    for (let n = 0; n < 60; n++) {
      const text = n === 30 ? mark : "x".repeat(500)
      const event = { type: "Said", schemaVersion: 1, payload: { text } }
      yield* journal.append(streamName("talk", `t${n % 3}`), [event], { expected: any })
    }
  }).pipe(Effect.provide(Sqlite.layer({ path: file })))
})

/** One letter of the sentence, in the file itself. */
const flip = (file: string) => {
  const bytes = readFileSync(file)
  const at = bytes.indexOf(mark)
  assert.isAbove(at, bytes.length / 10)
  assert.isBelow(at, (bytes.length * 9) / 10)
  bytes.writeUInt8(bytes.readUInt8(at + 4) ^ 1, at + 4)
  writeFileSync(file, bytes)
}

describe("sbx journal verify", () => {
  it.effect("tells an intact journal from one with a flipped byte", () =>
    Effect.gen(function* () {
      const file = path.join(directory(), "journal.sqlite")
      yield* write(file)
      const intact = yield* commandLine(["journal", "verify", file, "--json"])
      assert.strictEqual(intact.code, 0, intact.stderr)
      assert.deepInclude(JSON.parse(intact.stdout), { verdict: "intact", head: 60, problems: [] })
      flip(file)
      const broken = yield* commandLine(["journal", "verify", file])
      assert.strictEqual(broken.code, 1)
      assert.include(broken.stdout, `broken ${file}`)
      assert.match(broken.stdout, /commit 31: /)
    })
  )

  it.effect("names the file that is not there", () =>
    Effect.gen(function* () {
      const file = path.join(directory(), "none.sqlite")
      const ended = yield* commandLine(["journal", "verify", file])
      assert.strictEqual(ended.code, 3)
      assert.include(ended.stderr, file)
      assert.strictEqual((yield* commandLine(["journal", "verify", "run_none"])).code, 2)
    })
  )
})

const verdict = Effect.fnUntraced(function* (file: string) {
  return JSON.parse((yield* commandLine(["journal", "verify", file, "--json"])).stdout)
})

describe("sbx journal export and import", () => {
  it.effect("make the same journal again, by standard output and by a file", () =>
    Effect.gen(function* () {
      const folder = directory()
      const at = (name: string) => path.join(folder, name)
      yield* write(at("journal.sqlite"))
      const printed = yield* commandLine(["journal", "export", at("journal.sqlite")])
      assert.strictEqual(printed.code, 0, printed.stderr)
      assert.strictEqual(printed.stdout.trimEnd().split("\n").length, 62)
      const written = yield* commandLine(["journal", "export", at("journal.sqlite"), "--out", at("export.ndjson")])
      assert.strictEqual(written.code, 0, written.stderr)
      assert.strictEqual(readFileSync(at("export.ndjson"), "utf8"), printed.stdout)
      const imported = yield* commandLine(["journal", "import", at("export.ndjson"), at("copy.sqlite"), "--json"])
      assert.strictEqual(imported.code, 0, imported.stderr)
      const [source, copy] = [yield* verdict(at("journal.sqlite")), yield* verdict(at("copy.sqlite"))]
      assert.deepInclude(copy, { verdict: "intact", head: 60, hash: source.hash, journalId: source.journalId })
      assert.deepInclude(JSON.parse(imported.stdout), { path: at("copy.sqlite"), head: 60, hash: source.hash })
      const again = yield* commandLine(["journal", "export", at("copy.sqlite")])
      assert.strictEqual(again.stdout, printed.stdout)
      assert.deepStrictEqual(
        readdirSync(folder).filter((name) => name.includes(".part")),
        []
      )
    })
  )

  it.effect("give the events another identity when told to", () =>
    Effect.gen(function* () {
      const folder = directory()
      const at = (name: string) => path.join(folder, name)
      yield* write(at("journal.sqlite"))
      yield* commandLine(["journal", "export", at("journal.sqlite"), "--out", at("export.ndjson")])
      const ended = yield* commandLine(["journal", "import", at("export.ndjson"), at("new.sqlite"), "--as-new"])
      assert.strictEqual(ended.code, 0, ended.stderr)
      const [source, copy] = [yield* verdict(at("journal.sqlite")), yield* verdict(at("new.sqlite"))]
      assert.deepInclude(copy, { verdict: "intact", head: 60, commits: 60 })
      assert.notStrictEqual(copy.journalId, source.journalId)
      assert.include(ended.stdout, `${copy.journalId}: 60 events in 60 commits, hash ${copy.hash}`)
    })
  )

  it.effect("refuse a changed, a missing and a cut line by its number, and leave nothing", () =>
    Effect.gen(function* () {
      const folder = directory()
      const at = (name: string) => path.join(folder, name)
      yield* write(at("journal.sqlite"))
      const lines = (yield* commandLine(["journal", "export", at("journal.sqlite")])).stdout.split("\n")
      const changed = lines.map((line) => line.replace(mark, mark.toUpperCase()))
      const damages = [
        [changed, "line 32: the hash of commit 31"],
        [lines.toSpliced(9, 1), "line 10: the hash of commit 10"],
        [lines.slice(0, 40), "line 40: the lines end before the export"],
        [["{}"], "line 1: "],
        [[], "line 1: "]
      ] as const
      for (const [text, said] of damages) {
        writeFileSync(at("damaged.ndjson"), text.join("\n"))
        const ended = yield* commandLine(["journal", "import", at("damaged.ndjson"), at("copy.sqlite")])
        assert.strictEqual(ended.code, 3, said)
        assert.include(ended.stderr, `Could not import ${said}`)
        assert.deepStrictEqual(
          readdirSync(folder).filter((name) => name.startsWith("copy")),
          []
        )
      }
    })
  )

  it.effect("write over nothing, and name what they cannot read or write", () =>
    Effect.gen(function* () {
      const folder = directory()
      const at = (name: string) => path.join(folder, name)
      yield* write(at("journal.sqlite"))
      yield* commandLine(["journal", "export", at("journal.sqlite"), "--out", at("export.ndjson")])
      const refusals = [
        [["export", at("journal.sqlite"), "--out", at("export.ndjson")], 2, `${at("export.ndjson")}: it exists`],
        [["import", at("export.ndjson"), at("journal.sqlite")], 2, `${at("journal.sqlite")}: it exists`],
        [["import", at("export.ndjson")], 2, "path"],
        [["export", "run_none"], 2, "run_none"],
        [["export", at("none.sqlite")], 3, at("none.sqlite")],
        [["export", at("none.sqlite"), "--out", at("none.ndjson")], 3, at("none.sqlite")],
        [["export", at("journal.sqlite"), "--out", at("none/file")], 3, `Could not write ${at("none/file")}`],
        [["import", at("none.ndjson"), at("copy.sqlite")], 3, `Could not read ${at("none.ndjson")}`],
        [["import", at("export.ndjson"), at("none/copy.sqlite")], 3, at("none/copy.sqlite")]
      ] as const
      for (const [args, code, said] of refusals) {
        const ended = yield* commandLine(["journal", ...args])
        assert.strictEqual(ended.code, code, `${args.join(" ")}: ${ended.stderr}`)
        assert.include(ended.stderr, said)
      }
      assert.isFalse(existsSync(at("none.ndjson")))
      writeFileSync(at("copy.sqlite.part"), "somebody is at it")
      const second = yield* commandLine(["journal", "import", at("export.ndjson"), at("copy.sqlite")])
      assert.deepStrictEqual([second.code, readFileSync(at("copy.sqlite.part"), "utf8")], [2, "somebody is at it"])
      assert.strictEqual((yield* verdict(at("journal.sqlite"))).verdict, "intact")
    })
  )

  it.effect("give no name to a file whose log still lies beside it", () =>
    Effect.gen(function* () {
      const folder = directory()
      const at = (name: string) => path.join(folder, name)
      yield* write(at("journal.sqlite"))
      yield* commandLine(["journal", "export", at("journal.sqlite"), "--out", at("export.ndjson")])
      const fs = yield* FileSystem
      const exists = (file: string) => (file.endsWith("-wal") ? Effect.succeed(true) : fs.exists(file))
      const error = yield* JournalCopy.importFile({
        from: at("export.ndjson"),
        to: at("copy.sqlite"),
        asNew: false
      }).pipe(Effect.provideService(FileSystem, { ...fs, exists }), Effect.flip)
      assert.strictEqual(error._tag, "CopyDiffers")
      assert.include(error.message, "another process holds it open")
      assert.deepStrictEqual(
        readdirSync(folder).filter((name) => name.startsWith("copy")),
        []
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
