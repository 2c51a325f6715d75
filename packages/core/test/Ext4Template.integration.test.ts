import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { imageBytes, inodeCount } from "../src/internal/ext4Size.ts"
import * as Ext4Template from "../src/internal/ext4Template.ts"
import { onHost } from "./support/hostView.ts"

const MiB = 1024 ** 2
const sbin = (tool: string) => (fs.existsSync(`/sbin/${tool}`) ? `/sbin/${tool}` : `/usr/sbin/${tool}`)

const features =
  "none,64bit,dir_index,dir_nlink,extent,extra_isize,filetype,flex_bg,huge_file,large_file,metadata_csum,sparse_super"

/** An image as mke2fs makes it, root directory included. */
const formatted = (image: string, limitBytes: number, inodes: number, more: ReadonlyArray<string>) => {
  fs.closeSync(fs.openSync(image, "w"))
  fs.truncateSync(image, imageBytes(limitBytes, inodes))
  const owner = ["-E", "root_owner=100000:100000,lazy_itable_init=0,nodiscard"]
  onHost(sbin("mkfs.ext4"), "-q", "-F", "-m", "0", "-N", String(inodeCount(inodes)), ...owner, ...more, image)
  onHost(sbin("debugfs"), "-w", "-R", "rmdir lost+found", image)
}

const ours = ["-b", "4096", "-I", "256", "-O", features]

/** e2fsck's verdict, changing nothing. */
const check = (image: string) => spawnSync(sbin("e2fsck"), ["-fn", image], { encoding: "utf8" })

const inDirectory = (body: (directory: string) => void) => () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-ext4-"))
  try {
    body(directory)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

describe("a template of ext4 images", () => {
  it.each([
    { what: "one group", limitBytes: 4 * MiB, inodes: 64 },
    { what: "several groups with copies of the superblock", limitBytes: 1300 * MiB, inodes: 20_000 },
    { what: "more inodes than blocks", limitBytes: 8 * MiB, inodes: 70_000 }
  ])(
    "makes copies that e2fsck finds whole, with another owner: $what",
    ({ limitBytes, inodes }) =>
      inDirectory((directory) => {
        const [original, copy] = [`${directory}/original.img`, `${directory}/copy.img`]
        formatted(original, limitBytes, inodes, ours)
        const template = Ext4Template.read(original)
        Ext4Template.write(template, copy, { uid: 165_535, atSeconds: 5_000_000_000 })
        const { status, stdout, stderr } = check(copy)
        assert.strictEqual(status, 0, stdout + stderr)
        assert.strictEqual(fs.statSync(copy).size, fs.statSync(original).size)
        assert.strictEqual(fs.statSync(copy).mode & 0o777, 0o600)
        assert.isBelow(fs.statSync(copy).blocks * 512, MiB)
        const root = onHost(sbin("debugfs"), "-R", "stat <2>", copy)
        assert.match(root, /User: 165535\s+Group: 165535/)
        assert.match(root, /mtime: 0x2a05f200:00000001/)
        // The check can fail: the same root with another owner, written past the checksum.
        const broken = fs.openSync(copy, "r+")
        fs.writeSync(broken, Buffer.from([1]), 0, 1, template.rootOffset + 2)
        fs.closeSync(broken)
        assert.notStrictEqual(check(copy).status, 0)
      })(),
    30_000
  )

  it(
    "refuses a layout that is not ours",
    inDirectory((directory) => {
      const image = `${directory}/other.img`
      formatted(image, 8 * MiB, 64, ["-b", "1024", "-I", "128"])
      assert.throws(() => Ext4Template.read(image), /layout/)
      fs.truncateSync(image, 0)
      assert.throws(() => Ext4Template.read(image), /short image/)
    })
  )
})
