import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Tree from "../src/Tree.ts"

const paths = (tree: Tree.Tree) => tree.entries.map((entry) => `${entry.kind} ${entry.path}`)

const refused: ReadonlyArray<readonly [string, Tree.Entry, string]> = [
  ["an empty path", Tree.file("", ""), "empty"],
  ["an absolute path", Tree.file("/etc/passwd", ""), "absolute"],
  ["a path that climbs", Tree.file("a/../../b", ""), "traversal"],
  ["the parent itself", Tree.directory(".."), "traversal"],
  ["the root itself", Tree.directory("."), "notNormal"],
  ["an empty segment", Tree.file("a//b", ""), "notNormal"],
  ["a trailing slash", Tree.directory("a/"), "notNormal"],
  ["NUL in a path", Tree.file("a\0b", ""), "character"],
  ["a lone surrogate", Tree.file("a\ud800", ""), "character"],
  ["a name of 256 bytes", Tree.file("é".repeat(128), ""), "tooLong"],
  ["a path of 4096 bytes", Tree.file("a/".repeat(2047) + "ab", ""), "tooLong"],
  ["a set-id bit", Tree.file("a", "", 0o4755), "mode"],
  ["a negative mode", Tree.directory("a", -1), "mode"],
  ["a fractional mode", Tree.file("a", "", 0.5), "mode"],
  ["a link with a mode of its own", { ...Tree.symlink("a", "b"), mode: 0o644 }, "mode"],
  ["an absolute link", Tree.symlink("a", "/etc/passwd"), "linkOutside"],
  ["a link that climbs out", Tree.symlink("d/a", "../../b"), "linkOutside"],
  ["a link that goes down and up", Tree.symlink("d/a", "x/../../.."), "linkOutside"],
  ["an empty target", Tree.symlink("a", ""), "linkOutside"],
  ["NUL in a target", Tree.symlink("a", "b\0"), "character"],
  ["a target of 4096 bytes", Tree.symlink("a", "b".repeat(4096)), "tooLong"]
]

describe("Tree", () => {
  for (const [title, entry, reason] of refused) {
    it.effect(`refuses ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Tree.make([entry]))
        assert.deepStrictEqual([error.path, error.reason], [entry.path, reason])
      })
    )
  }

  it.effect("refuses a path named twice", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Tree.make([Tree.file("a", "1"), Tree.directory("a")]))
      assert.strictEqual(error.reason, "duplicate")
      assert.strictEqual(
        error.message,
        'Could not build the tree: entry "a" is refused (duplicate).\nName each path once.'
      )
    })
  )

  it.effect("refuses entries below a link or a file, in any order", () =>
    Effect.gen(function* () {
      const below = Tree.file("a/b/c", "")
      for (const above of [Tree.symlink("a", "x"), Tree.file("a/b", "")]) {
        for (const entries of [
          [above, below],
          [below, above]
        ]) {
          assert.strictEqual((yield* Effect.flip(Tree.make(entries))).reason, "belowNonDirectory")
        }
      }
    })
  )

  it("throws the error from makeUnsafe", () => {
    assert.throws(() => Tree.makeUnsafe([Tree.file("/a", "")]), /refused \(absolute\)/)
  })

  it.effect("adds unnamed parents and puts them first", () =>
    Effect.gen(function* () {
      const tree = yield* Tree.make([
        Tree.file("b/c/d", "x"),
        Tree.file("b-c", ""),
        Tree.directory("b", 0o700),
        Tree.symlink("a", "b/c/d")
      ])
      assert.deepStrictEqual(paths(tree), ["symlink a", "directory b", "file b-c", "directory b/c", "file b/c/d"])
      assert.deepStrictEqual(Tree.find(tree, "b"), Option.some(Tree.directory("b", 0o700)))
      assert.deepStrictEqual(Tree.find(tree, "b/c"), Option.some(Tree.directory("b/c", 0o755)))
      assert.deepStrictEqual(Tree.find(tree, "nowhere"), Option.none())
    })
  )

  it("counts the bytes of contents, not characters", () => {
    const tree = Tree.makeUnsafe([Tree.file("a", "é"), Tree.file("b", new Uint8Array(3))])
    assert.strictEqual(Tree.size(tree), 5)
  })

  it("has a checksum that sees order-free content, and every field", () => {
    const sum = (...entries: ReadonlyArray<Tree.Entry>) => Tree.checksum(Tree.makeUnsafe(entries))
    const [a, b] = [Tree.file("a", "1"), Tree.file("b", "2")]
    assert.strictEqual(sum(a, b), sum(b, a))
    const variants = [
      sum(a, b),
      sum(a),
      sum(Tree.file("a", "2"), Tree.file("b", "1")),
      sum(Tree.file("a", "1", 0o600), b),
      sum(Tree.file("c", "1"), b),
      sum(Tree.directory("a"), b),
      sum(Tree.symlink("a", "b"), b),
      sum(Tree.symlink("a", "c"), b)
    ]
    assert.strictEqual(new Set(variants).size, variants.length)
  })

  it.effect("merges trees, the later directory mode winning, and refuses a file in both", () =>
    Effect.gen(function* () {
      const one = Tree.makeUnsafe([Tree.directory("d", 0o700), Tree.file("d/a", "1")])
      const two = Tree.makeUnsafe([Tree.directory("d", 0o750), Tree.file("d/b", "2")])
      const both = yield* Tree.merge(one, two)
      assert.deepStrictEqual(paths(both), ["directory d", "file d/a", "file d/b"])
      assert.deepStrictEqual(Tree.find(both, "d"), Option.some(Tree.directory("d", 0o750)))
      assert.strictEqual((yield* Effect.flip(Tree.merge(one, one))).reason, "duplicate")
    })
  )

  it.prop(
    "never lets a link resolve above the root",
    {
      depth: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))),
      steps: Schema.Array(Schema.Literals(["..", ".", "x", ""]))
    },
    ({ depth, steps }) => {
      const target = steps.join("/")
      const entry = Tree.symlink([...Array.from({ length: depth }, () => "d"), "l"].join("/"), target)
      // Walked step by step, the way the kernel does, in a tree without other links.
      let level = target.startsWith("/") ? -1 : depth
      let lowest = level
      for (const step of steps) {
        level += step === ".." ? -1 : step === "x" ? 1 : 0
        lowest = Math.min(lowest, level)
      }
      const accepted = Effect.runSyncExit(Tree.make([entry]))._tag === "Success"
      if (lowest < 0) assert.isFalse(accepted, target)
    }
  )
})
