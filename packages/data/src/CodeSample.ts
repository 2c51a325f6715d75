/**
 * Small programs as data: files, commands, input, and the outcome computed from the arguments. Nothing is run here;
 * whoever runs one gives what was seen to `mismatches`. A language is a leaf that states its sources; samples are derived.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Checksum from "./Checksum.ts"
import { type CompileError, compileError, type FaultyProgram, type InvalidLine } from "./CompileError.ts"
import * as Tree from "./Tree.ts"

/** A file the program must have written: a JSON object with at least these numbers, each within the tolerance. */
export interface ExpectedNumbers {
  readonly path: string
  readonly numbers: Readonly<Record<string, number>>
  /** Allowed |seen - known| / max(1, |known|). */
  readonly tolerance: number
}

/** The outcome, exact in every field. */
export interface Expected {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly results: ReadonlyArray<ExpectedNumbers>
}

/** Write `files` to a folder, run each command of `build` there, then `argv` with `stdin`; compare with `expected`. */
export interface CodeSample {
  readonly language: string
  readonly name: string
  readonly files: Tree.Tree
  /** Commands that must each exit with 0 before `argv`; none for an interpreter. */
  readonly build: ReadonlyArray<ReadonlyArray<string>>
  readonly argv: ReadonlyArray<string>
  readonly stdin: Uint8Array
  readonly expected: Expected
}

/** What one run showed; `files` holds the text of each path in `expected.results` that exists. */
export interface Observed {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly files: Readonly<Record<string, string>>
}

/** The four programs every language states, as source text. */
export interface Programs {
  /** Prints each argument on a line of its own. */
  readonly echoArguments: string
  /** Exits with the code given as first argument. */
  readonly exitWith: string
  /** Writes the first argument and a line feed to standard error, nothing to standard output. */
  readonly writeStderr: string
  /** Prints the SHA-256 of standard input in lowercase hex and a line feed. */
  readonly digestStdin: string
}

/** The samples of one language. */
export interface Language {
  readonly name: string
  /** The command every sample needs; where it is missing nothing is known about the language. */
  readonly tool: string
  readonly echoArguments: (args: ReadonlyArray<string>) => Effect.Effect<CodeSample, InvalidArgument>
  readonly exitWith: (code: number) => Effect.Effect<CodeSample, InvalidArgument>
  readonly writeStderr: (line: string) => Effect.Effect<CodeSample, InvalidArgument>
  readonly digestStdin: (stdin: Uint8Array) => CodeSample
  /** A program whose first fault is on the given line, counted from 1. */
  readonly compileError: (line: number) => Effect.Effect<CompileError, InvalidLine>
}

/** A language nobody wrote samples for. There is no fallback. */
export class UnknownLanguage extends Schema.TaggedError<UnknownLanguage>()("UnknownLanguage", {
  language: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not find code samples: language "${this.language}" is unknown.\nUse one of: ${this.known.join(", ")}.`
  }
}

/** An argument that no program could receive or return. */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>()("InvalidArgument", {
  sample: Schema.String,
  fact: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `Could not build sample ${this.sample}: ${this.fact}.\n${this.remedy}`
  }
}

/** How a program in `path` becomes a running process: an interpreter's command, or build commands and what they made. */
export interface Toolchain {
  readonly tool: string
  readonly build: (path: string) => ReadonlyArray<ReadonlyArray<string>>
  readonly run: (path: string) => ReadonlyArray<string>
}

/** A toolchain without build commands. */
export const interpreter = (tool: string): Toolchain => ({ tool, build: () => [], run: (path) => [tool, path] })

/** Derives a language's samples from its sources and its toolchain. */
export const language = (definition: {
  readonly name: string
  readonly toolchain: Toolchain
  readonly extension: string
  readonly programs: Programs
  readonly faulty: FaultyProgram
}): Language => {
  const { toolchain } = definition
  const sample = (
    name: keyof Programs,
    args: ReadonlyArray<string>,
    expected: Partial<Expected>,
    stdin: Uint8Array = new Uint8Array()
  ): CodeSample => {
    const path = `${name}.${definition.extension}`
    return {
      language: definition.name,
      name,
      files: Tree.makeUnsafe([Tree.file(path, definition.programs[name])]),
      build: toolchain.build(path),
      argv: [...toolchain.run(path), ...args],
      stdin,
      expected: { exitCode: 0, stdout: "", stderr: "", results: [], ...expected }
    }
  }
  return {
    name: definition.name,
    tool: toolchain.tool,
    echoArguments: (args) =>
      Effect.as(
        passable("echoArguments", args),
        sample("echoArguments", args, { stdout: args.map((arg) => `${arg}\n`).join("") })
      ),
    exitWith: (code) => Effect.as(exitable(code), sample("exitWith", [String(code)], { exitCode: code })),
    writeStderr: (line) =>
      Effect.as(passable("writeStderr", [line]), sample("writeStderr", [line], { stderr: `${line}\n` })),
    digestStdin: (stdin) => sample("digestStdin", [], { stdout: `${Checksum.ofBytes(stdin)}\n` }, stdin),
    compileError: (line) => compileError(definition.name, `faulty.${definition.extension}`, definition.faulty, line)
  }
}

/** What differs from the expectation, one sentence each; empty when the run is as expected. */
export const mismatches = (sample: CodeSample, observed: Observed): ReadonlyArray<string> => {
  const { expected } = sample
  const differs = (what: string, seen: string | number, known: string | number) =>
    seen === known ? [] : [`${what} is ${shown(seen)}, expected ${shown(known)}`]
  return [
    ...differs("exit code", observed.exitCode, expected.exitCode),
    ...differs("stdout", observed.stdout, expected.stdout),
    ...differs("stderr", observed.stderr, expected.stderr),
    ...expected.results.flatMap((result) => wrongNumbers(result, observed.files[result.path]))
  ]
}

const decodeObject = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))

function wrongNumbers(result: ExpectedNumbers, text: string | undefined): ReadonlyArray<string> {
  if (text === undefined) return [`${result.path} was not written`]
  const decoded = decodeObject(text)
  if (Result.isFailure(decoded)) return [`${result.path} is no JSON object: ${shown(text)}`]
  return Object.entries(result.numbers).flatMap(([key, known]) => {
    const seen = decoded.success[key]
    const near = typeof seen === "number" && Math.abs(seen - known) <= result.tolerance * Math.max(1, Math.abs(known))
    return near ? [] : [`${result.path}: ${key} is ${String(seen)}, expected ${known}`]
  })
}

const shown = (value: string | number): string => {
  const text = typeof value === "string" ? `"${value}"` : String(value)
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text
}

/** execve(2) takes NUL-terminated strings; a lone surrogate has no UTF-8 form. */
function passable(sample: string, args: ReadonlyArray<string>) {
  const bad = args.findIndex((arg) => arg.includes("\0") || !arg.isWellFormed())
  const fact = `argument ${bad + 1} holds NUL or a lone surrogate`
  const remedy = "Pass text that has a UTF-8 form and no NUL."
  return bad === -1 ? Effect.void : Effect.fail(new InvalidArgument({ sample, fact, remedy }))
}

/** A parent sees the low eight bits of an exit status only (wait(2)). */
function exitable(code: number) {
  const fact = `exit code ${code} is not a whole number from 0 to 255`
  const remedy = "Choose a code that a parent process can see."
  return Number.isInteger(code) && code >= 0 && code <= 255
    ? Effect.void
    : Effect.fail(new InvalidArgument({ sample: "exitWith", fact, remedy }))
}
