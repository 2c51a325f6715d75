import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import { treeBlocks } from "../src/internal/treeBlocks.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(`${os.tmpdir()}/sbx-tree-`)),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true }))
)

/** The same by du(1), without the directory itself. */
const du = (path: string) =>
  Number(execFileSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).split("\t")[0]) -
  fs.lstatSync(path).blocks * 512

describe("treeBlocks", () => {
  it.live("agrees with du about directories, sparse files, links and files with two names", () =>
    Effect.gen(function* () {
      const path = yield* folder
      assert.strictEqual(yield* treeBlocks(path), 0)
      fs.mkdirSync(`${path}/a/b`, { recursive: true })
      for (let index = 0; index < 1200; index++) fs.writeFileSync(`${path}/a/${index}`, "x".repeat(index))
      fs.writeFileSync(`${path}/a/b/big`, Buffer.alloc(1 << 20, 1))
      fs.linkSync(`${path}/a/b/big`, `${path}/twin`)
      fs.truncateSync(`${path}/a/1`, 1 << 30)
      fs.symlinkSync("/usr", `${path}/usr`)
      fs.symlinkSync("/usr", `${path}/a/usr`)
      assert.strictEqual(yield* treeBlocks(path), du(path))
    }).pipe(Effect.scoped)
  )

  it.live("gives up at a bound of depth or entries, and closes what it opened", () =>
    Effect.gen(function* () {
      const path = yield* folder
      fs.mkdirSync(`${path}/1/2/3`, { recursive: true })
      const open = fs.readdirSync("/proc/self/fd").length
      assert.strictEqual(yield* treeBlocks(path, { depth: 4, entries: 3 }), du(path))
      assert.strictEqual(yield* treeBlocks(path, { depth: 3, entries: 3 }), "too-costly")
      assert.strictEqual(yield* treeBlocks(path, { depth: 4, entries: 2 }), "too-costly")
      assert.strictEqual(fs.readdirSync("/proc/self/fd").length, open)
    }).pipe(Effect.scoped)
  )

  it.live("has no number for what is not there, or is no directory, or a link to one", () =>
    Effect.gen(function* () {
      const path = yield* folder
      fs.writeFileSync(`${path}/file`, "")
      fs.symlinkSync("/usr", `${path}/link`)
      for (const name of ["none", "file", "link"])
        assert.strictEqual(yield* treeBlocks(`${path}/${name}`), "not-reported", name)
    }).pipe(Effect.scoped)
  )
})
