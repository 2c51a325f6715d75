/**
 * Programs that a compiler or syntax checker must refuse, with the file and line it must name. Nothing is run here;
 * whoever runs the check gives what was seen to `mismatches`. A check that passes, or complains elsewhere, is a mismatch.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tree from "./Tree.ts"

/** Write `files` to a folder and run `check` there: it must exit with another code than 0 and name `path` and `line`. */
export interface CompileError {
  readonly language: string
  readonly files: Tree.Tree
  readonly check: ReadonlyArray<string>
  readonly path: string
  /** Counted from 1. */
  readonly line: number
  /** Finds one complaint's `path` and `line` in the checker's output; flags include `g`. */
  readonly complaint: RegExp
}

/** What one check showed; compilers differ in which stream they complain on. */
export interface Checked {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** How a language states its faulty program: a fault on the source's first line, moved down by padding lines. */
export interface FaultyProgram {
  readonly source: string
  readonly padding: string
  readonly check: (path: string) => ReadonlyArray<string>
  readonly complaint: RegExp
}

/** Largest line a fault can be put on. */
export const maxLine = 10_000

/** A line that is no whole number from 1 to `maxLine`. */
export class InvalidLine extends Schema.TaggedError<InvalidLine>()("InvalidLine", {
  line: Schema.String
}) {
  override get message() {
    return `Could not build a faulty program: line ${this.line} cannot hold the fault.\nGive a whole number from 1 to ${maxLine}.`
  }
}

/** The faulty program of a language with its fault on `line`. */
export const compileError = (
  language: string,
  path: string,
  program: FaultyProgram,
  line: number
): Effect.Effect<CompileError, InvalidLine> => {
  if (!Number.isInteger(line) || line < 1 || line > maxLine) return Effect.fail(new InvalidLine({ line: String(line) }))
  const source = `${program.padding}\n`.repeat(line - 1) + program.source
  const files = Tree.makeUnsafe([Tree.file(path, source)])
  return Effect.succeed({
    language,
    files,
    check: program.check(path),
    path,
    line,
    complaint: program.complaint
  })
}

/** The places that the output names, in its order. Paths lose folders: a checker may print them absolute. */
export const complaints = (
  sample: CompileError,
  seen: Checked
): ReadonlyArray<{ readonly path: string; readonly line: number }> =>
  Array.from(`${seen.stdout}\n${seen.stderr}`.matchAll(sample.complaint), (found) => ({
    path: (found.groups?.["path"] ?? "").split("/").at(-1) ?? "",
    line: Number(found.groups?.["line"])
  }))

/** What differs from the expectation, one sentence each; empty when the first complaint is where it must be. */
export const mismatches = (sample: CompileError, seen: Checked): ReadonlyArray<string> => {
  const [first] = complaints(sample, seen)
  const found = first === undefined ? "nowhere" : `${first.path}:${first.line}`
  const known = `${sample.path}:${sample.line}`
  return [
    ...(seen.exitCode === 0 ? ["exit code is 0, expected a failure"] : []),
    ...(found === known ? [] : [`the first complaint is at ${found}, expected ${known}`])
  ]
}
