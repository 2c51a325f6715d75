import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import * as fs from "node:fs"
import { Sandboxes } from "../src/Sandboxes.ts"
import type { TreeEntry, UnsafeEntry } from "../src/SandboxFiles.ts"
import { onHost } from "./support/hostView.ts"
import { sandboxesLayer, tamperingLayer } from "./support/sandboxesLayer.ts"

const sandbox = Effect.flatMap(Sandboxes, (sandboxes) => sandboxes.make({ disk: "16M" }))
const bytes = (text: string) => new TextEncoder().encode(text)
const file = (path: string, content: string, mode = 0o644): TreeEntry => ({
  kind: "file",
  path,
  mode,
  content: bytes(content)
})
const link = (path: string, target: string): TreeEntry => ({ kind: "symlink", path, mode: 0o777, target })

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("files of a sandbox", (it) => {
  it.effect("go in and out unchanged, owned by the sandbox, in directories it can write", () =>
    Effect.gen(function* () {
      const box = yield* sandbox
      const content = new Uint8Array(300_000).map((_, index) => (index * 7919) % 251)
      const sent = yield* box.files.write("deep/er/data.bin", content, { mode: 0o600 })
      assert.deepStrictEqual(yield* box.files.read("deep/er/data.bin"), content)
      const inside = yield* box.execOk([
        "sh",
        "-c",
        "sha256sum deep/er/data.bin; stat -c '%u %g %a' deep/er/data.bin deep"
      ])
      assert.include(inside.stdout, sent.sha256)
      assert.include(inside.stdout, `${box.uid} ${box.uid} 600`)
      assert.include(inside.stdout, `${box.uid} ${box.uid} 755`)
      yield* box.execOk(["sh", "-c", "echo mine > deep/er/new.txt"])
      assert.strictEqual(yield* box.files.readString("/workspace/deep/er/new.txt"), "mine\n")
    })
  )

  it.effect("are listed, looked at, made and removed", () =>
    Effect.gen(function* () {
      const { files } = yield* sandbox
      yield* files.write("a.txt", "12345")
      yield* files.mkdir("d/e", { mode: 0o700 })
      yield* files.mkdir("d/e")
      yield* files.write("d/e/f.txt", "x")
      yield* files.uploadTree([link("l", "a.txt")])
      const names = (yield* files.list()).map(({ name, kind, sizeBytes }) => `${kind} ${name} ${sizeBytes}`)
      assert.deepStrictEqual(names, ["file a.txt 5", "directory d 0", "symlink l 0"])
      assert.strictEqual((yield* files.stat("d/e")).mode, 0o700)
      assert.strictEqual(yield* files.readString("l"), "12345")
      assert.isTrue(yield* files.exists("d/e/f.txt"))
      yield* files.remove("d")
      yield* files.remove("d")
      assert.isFalse(yield* files.exists("d/e/f.txt"))
      const missing = yield* Effect.flip(files.read("d/e/f.txt"))
      assert.strictEqual(missing._tag, "FileNotFound")
      assert.strictEqual((yield* Effect.flip(files.stat("nothing")))._tag, "FileNotFound")
      assert.strictEqual((yield* Effect.flip(files.list("a.txt")))._tag, "WrongFileKind")
      assert.strictEqual((yield* Effect.flip(files.read("/workspace")))._tag, "WrongFileKind")
    })
  )

  it.effect("survive a round trip as a tree, with modes, links and an equal digest", () =>
    Effect.gen(function* () {
      const { files } = yield* sandbox
      const entries: ReadonlyArray<TreeEntry> = [
        { kind: "directory", path: "src", mode: 0o750 },
        link("src/latest", "main.py"),
        file("src/main.py", "print(1)", 0o755),
        file("src/ünïcode name.txt", "ü"),
        file(`src/${"long".repeat(50)}.txt`, "", 0o400)
      ]
      const sent = yield* files.uploadTree(entries, "project")
      const back = yield* files.downloadTree("project")
      assert.strictEqual(back.sha256, sent.sha256)
      assert.strictEqual(sent.files, 3)
      const sorted = [...back.entries].sort((a, b) => (a.path < b.path ? -1 : 1))
      assert.deepStrictEqual(
        sorted,
        [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))
      )
    })
  )

  it.effect("move between this machine and the sandbox with equal checksums", () =>
    Effect.gen(function* () {
      const { files } = yield* sandbox
      const host = yield* FileSystem.FileSystem
      const directory = yield* host.makeTempDirectoryScoped()
      const content = new Uint8Array(5_000_000).map((_, index) => (index * 31) % 256)
      yield* host.writeFile(`${directory}/in.bin`, content)
      const up = yield* files.uploadFile(`${directory}/in.bin`, "x/in.bin")
      const down = yield* files.downloadFile("x/in.bin", `${directory}/out.bin`)
      assert.strictEqual(down.sha256, up.sha256)
      assert.strictEqual(onHost("sha256sum", `${directory}/out.bin`).slice(0, 64), up.sha256)
      assert.isFalse(yield* host.exists(`${directory}/out.bin.partial`))
      assert.strictEqual((yield* Effect.flip(files.uploadFile(`${directory}/none`, "y")))._tag, "HostFileFailed")
      assert.strictEqual((yield* Effect.flip(files.downloadFile("x/in.bin", "/proc/nowhere/x")))._tag, "HostFileFailed")
    })
  )

  it.effect("cannot be put outside of the workspace, nor read where the engine is blind", () =>
    Effect.gen(function* () {
      const { files } = yield* sandbox
      for (const path of ["/etc/passwd", "../etc/x", "/tmp/x", "/workspace/../usr/x", "."]) {
        assert.strictEqual((yield* Effect.flip(files.write(path, "x")))._tag, "PathOutside", path)
      }
      assert.strictEqual((yield* Effect.flip(files.read("/tmp/x")))._tag, "PathOutside")
      assert.include(yield* files.readString("/etc/passwd"), "root")
    })
  )

  it.effect("are refused when the workspace is full, and when they are larger than wanted", () =>
    Effect.gen(function* () {
      const { files, exec } = yield* sandbox
      assert.strictEqual((yield* Effect.flip(files.write("big", new Uint8Array(20 * 1024 ** 2))))._tag, "NoSpaceLeft")
      yield* exec(["sh", "-c", "rm -f big; truncate -s 1000000 sparse"])
      assert.strictEqual((yield* Effect.flip(files.read("sparse", { limitBytes: 999_999 })))._tag, "TransferTooLarge")
      assert.strictEqual((yield* files.read("sparse", { limitBytes: 1_000_000 })).length, 1_000_000)
      const tree = yield* Effect.flip(files.downloadTree(".", { limitBytes: 10 }))
      assert.strictEqual(tree._tag, "TransferTooLarge")
    })
  )

  describe("hostile entries", () => {
    it.effect("are refused on the way in, before anything is written", () =>
      Effect.gen(function* () {
        const { files } = yield* sandbox
        const attacks: ReadonlyArray<readonly [UnsafeEntry["reason"], ReadonlyArray<TreeEntry>]> = [
          ["absolute", [file("/etc/x", "x")]],
          ["traversal", [file("a/../../x", "x")]],
          ["malformed", [file("a//b", "x")]],
          ["malformed", [file("", "x")]],
          ["set-id", [file("suid", "x", 0o4755)]],
          ["link-escapes", [link("l", "/etc/passwd")]],
          ["link-escapes", [link("a/l", "../../etc")]],
          ["link-escapes", [link("l", "a/../..")]],
          ["below-link", [link("l", "a"), file("l/x", "x")]],
          ["duplicate", [file("x", "1"), file("x", "2")]]
        ]
        for (const [reason, entries] of attacks) {
          const error = yield* Effect.flip(files.uploadTree([file("innocent", "x"), ...entries]))
          assert.strictEqual(error._tag === "UnsafeEntry" && error.reason, reason, JSON.stringify(entries))
        }
        assert.deepStrictEqual(yield* files.list(), [])
      })
    )

    it.effect("are refused on the way out: devices, pipes, set-id bits, escaping links", () =>
      Effect.gen(function* () {
        const { files, execOk } = yield* sandbox
        const attacks: ReadonlyArray<readonly [UnsafeEntry["reason"], string]> = [
          ["special-file", "mkfifo pipe"],
          ["set-id", "cp /bin/busybox s; chmod 4755 s"],
          ["set-id", "mkdir g; chmod 2755 g"],
          ["link-escapes", "ln -s /etc/passwd l"],
          ["link-escapes", "ln -s ../../etc l"]
        ]
        for (const [reason, command] of attacks) {
          yield* execOk(["sh", "-c", `rm -rf t; mkdir t; cd t; ${command}`])
          const error = yield* Effect.flip(files.downloadTree("t"))
          assert.strictEqual(error._tag === "UnsafeEntry" && error.reason, reason, command)
        }
        yield* execOk(["sh", "-c", "rm -rf t; mkdir t; cd t; echo one > a; ln a b; ln -s a c"])
        const tree = yield* files.downloadTree("t")
        assert.deepStrictEqual(tree.entries.map(({ kind, path }) => `${kind} ${path}`).sort(), [
          "file a",
          "file b",
          "symlink c"
        ])
      })
    )

    it.effect("cannot redirect a write by links planted in the workspace", () =>
      Effect.gen(function* () {
        const { files, execOk } = yield* sandbox
        yield* execOk(["ln", "-s", "/etc", "out"])
        const error = yield* Effect.flip(files.write("out/planted", "x"))
        assert.strictEqual(error._tag === "UnsafeEntry" && error.reason, "below-link")
        // A tree brings its directories along, which replace the link.
        yield* files.uploadTree([file("out/planted", "x")])
        assert.strictEqual((yield* files.stat("out")).kind, "directory")
        assert.isFalse(yield* files.exists("/etc/planted"))
        // Reading follows inside the sandbox and never on this machine.
        fs.writeFileSync("/tmp/sbx-host-canary", "host")
        yield* execOk(["ln", "-s", "/var/../tmp/sbx-host-canary", "peek"])
        assert.include(["FileNotFound", "PathOutside"], (yield* Effect.flip(files.read("peek")))._tag)
        fs.rmSync("/tmp/sbx-host-canary")
        yield* execOk(["sh", "-c", "ln -s loop1 loop2; ln -s loop2 loop1"])
        // A HEAD that fails has no words, so the engine's 500 for ELOOP stays what it is.
        assert.strictEqual((yield* Effect.flip(files.read("loop1")))._tag, "EngineFailure")
      })
    )
  })
})

layer(tamperingLayer, { excludeTestServices: true, timeout: "60 seconds" })(
  "files through an engine that corrupts",
  (it) => {
    it.effect("are told to have arrived wrong", () =>
      Effect.gen(function* () {
        const { files } = yield* sandbox
        const tree = yield* Effect.flip(files.uploadTree([file("a", "one \u0001 byte")]))
        assert.strictEqual(tree._tag, "ChecksumMismatch")
        const host = yield* FileSystem.FileSystem
        const directory = yield* host.makeTempDirectoryScoped()
        yield* host.writeFileString(`${directory}/a`, "one \u0001 byte")
        assert.strictEqual((yield* Effect.flip(files.uploadFile(`${directory}/a`, "a")))._tag, "ChecksumMismatch")
      })
    )
  }
)
