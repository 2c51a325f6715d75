/**
 * Files, directories and symbolic links as plain values, to be written by somebody else. A `Tree` that exists is safe to
 * write under any folder: paths are relative, normal and unique, nothing lies below a file or a link, no link leads out,
 * no set-id bit is set. What breaks a rule is refused with `InvalidTree`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Checksum from "./Checksum.ts"
import { linkEscapes, pathFault } from "./internal/treePath.ts"

/** A regular file. `mode` is permission bits, `path` relative with `/`. */
export interface File {
  readonly kind: "file"
  readonly path: string
  readonly mode: number
  readonly content: Uint8Array
}

/** A directory; its entries are entries of the tree. */
export interface Directory {
  readonly kind: "directory"
  readonly path: string
  readonly mode: number
}

/** A symbolic link; `mode` is always 0o777, which Linux reports and ignores (symlink(7)). */
export interface Symlink {
  readonly kind: "symlink"
  readonly path: string
  readonly mode: number
  readonly target: string
}

export type Entry = File | Directory | Symlink

/** Valid entries in path order, parents first; parents nobody named are present with mode 0o755. */
export interface Tree {
  readonly entries: ReadonlyArray<Entry>
}

/** Why an entry was refused. */
export const Fault = Schema.Literals([
  "empty",
  "absolute",
  "traversal",
  "notNormal",
  "character",
  "tooLong",
  "duplicate",
  "belowNonDirectory",
  "mode",
  "linkOutside"
])

/** The first entry that breaks a rule of the tree. */
export class InvalidTree extends Schema.TaggedError<InvalidTree>()("InvalidTree", {
  path: Schema.String,
  reason: Fault
}) {
  override get message() {
    return `Could not build the tree: entry "${this.path}" is refused (${this.reason}).\n${advice[this.reason]}`
  }
}

const advice: Record<typeof Fault.Type, string> = {
  empty: "Give every entry a path.",
  absolute: "Give paths relative to the tree's root.",
  traversal: 'Leave ".." out of paths.',
  notNormal: 'Leave ".", empty segments and trailing slashes out of paths.',
  character: "Leave NUL and lone surrogates out of paths and targets.",
  tooLong: "Keep a segment within 255 bytes (NAME_MAX) and a path or target within 4095 (PATH_MAX).",
  duplicate: "Name each path once.",
  belowNonDirectory: "Put entries below directories only.",
  mode: "Use permission bits from 0 to 0o777; set-id and sticky bits are not carried.",
  linkOutside: "Point links at relative targets inside the tree."
}

/** A file; text becomes UTF-8. Mode 0o644 unless told. */
export const file = (path: string, content: string | Uint8Array, mode = 0o644): File => ({
  kind: "file",
  path,
  mode,
  content: typeof content === "string" ? new TextEncoder().encode(content) : content
})

/** A directory. Mode 0o755 unless told. */
export const directory = (path: string, mode = 0o755): Directory => ({
  kind: "directory",
  path,
  mode
})

/** A symbolic link to a relative target inside the tree; the target need not exist. */
export const symlink = (path: string, target: string): Symlink => ({
  kind: "symlink",
  path,
  mode: 0o777,
  target
})

/** Checks the entries and builds the tree. */
export const make = (entries: Iterable<Entry>): Effect.Effect<Tree, InvalidTree> =>
  Effect.fromResult(validate([...entries]))

/** `make` for entries written in source code: throws the `InvalidTree`. */
export const makeUnsafe = (entries: Iterable<Entry>): Tree => Result.getOrThrow(validate([...entries]))

/** All entries of all trees; a file or link in two of them is a duplicate, a directory is not (the later mode holds). */
export const merge = (...trees: ReadonlyArray<Tree>): Effect.Effect<Tree, InvalidTree> => {
  const directories = new Map<string, Entry>()
  const rest: Array<Entry> = []
  for (const entry of trees.flatMap((tree) => tree.entries)) {
    if (entry.kind === "directory") directories.set(entry.path, entry)
    else rest.push(entry)
  }
  return make([...directories.values(), ...rest])
}

/** The entry at a path. */
export const find = (tree: Tree, path: string): Option.Option<Entry> =>
  Option.fromUndefinedOr(tree.entries.find((entry) => entry.path === path))

/** Bytes of all file contents together. */
export const size = (tree: Tree): number =>
  tree.entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.content.length : 0), 0)

/**
 * SHA-256 over kind, mode, path and content checksum or target of every entry, NUL-separated (no field can hold NUL):
 * equal exactly when the trees are. 64 hex digits.
 */
export const checksum = (tree: Tree): string =>
  Checksum.ofText(
    tree.entries.flatMap((entry) => [entry.kind, entry.mode.toString(8), entry.path, body(entry)]).join("\0")
  )

function body(entry: Entry): string {
  switch (entry.kind) {
    case "file":
      return Checksum.ofBytes(entry.content)
    case "directory":
      return ""
    case "symlink":
      return entry.target
  }
}

function validate(entries: ReadonlyArray<Entry>): Result.Result<Tree, InvalidTree> {
  const known = new Map<string, Entry>()
  for (const entry of entries) {
    const reason = known.has(entry.path) ? "duplicate" : faultOf(entry)
    if (reason !== undefined) return Result.fail(new InvalidTree({ path: entry.path, reason }))
    known.set(entry.path, entry)
  }
  for (const entry of entries) {
    for (const parent of parents(entry.path)) {
      const above = known.get(parent)
      if (above === undefined) known.set(parent, directory(parent))
      else if (above.kind !== "directory") {
        return Result.fail(new InvalidTree({ path: entry.path, reason: "belowNonDirectory" }))
      }
    }
  }
  // Code-unit order of "/"-separated paths puts every parent before its children.
  const sorted = [...known.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  return Result.succeed({ entries: sorted })
}

function faultOf(entry: Entry): typeof Fault.Type | undefined {
  const fault = pathFault(entry.path)
  if (fault !== undefined) return fault
  if (!Number.isInteger(entry.mode) || entry.mode < 0 || entry.mode > 0o777) return "mode"
  if (entry.kind !== "symlink") return undefined
  if (entry.mode !== 0o777) return "mode"
  if (entry.target.includes("\0") || !entry.target.isWellFormed()) return "character"
  if (new TextEncoder().encode(entry.target).length > 4095) return "tooLong"
  return linkEscapes(entry.path, entry.target) ? "linkOutside" : undefined
}

function parents(path: string): Array<string> {
  const segments = path.split("/")
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join("/"))
}
