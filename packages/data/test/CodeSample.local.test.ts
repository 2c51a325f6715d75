/** The samples built and run with the tools of this machine; containers run them again elsewhere. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CodeSample from "../src/CodeSample.ts"
import * as CompileError from "../src/CompileError.ts"
import * as Dataset from "../src/Dataset.ts"
import * as Languages from "../src/Languages.ts"
import { dataAnalysis } from "../src/samples/Python.ts"
import * as SeededBytes from "../src/SeededBytes.ts"
import * as Tree from "../src/Tree.ts"
import { exists, runCheck, runSample } from "./runSample.ts"

const awkward = ["plain", "two words", "", "-n", "-e", "a\\tb\\c", "$HOME", "`id`", "'\"", "é漢\n"]

/** What each checker must accept; the empty file is a program in the others. */
const faultless: Record<string, string> = {
  go: "package main\nfunc main() {}\n",
  rust: "fn main() {}\n",
  c: "int main(void) { return 0; }\n",
  typescript: "export const count: number = 3\n"
}

const holds = (sample: CodeSample.CodeSample) =>
  Effect.sync(() => assert.deepStrictEqual(CodeSample.mismatches(sample, runSample(sample)), []))

/** A missing tool is printed with its name; the shell and node may never be missing. */
const available = (language: string, tool: string): boolean => {
  if (exists(tool)) return true
  assert.notInclude(["sh", "node", "tsc"], tool)
  process.stderr.write(`skipped: ${language} samples, ${tool} does not work on this machine\n`)
  return false
}

for (const language of Languages.all) {
  describe.runIf(available(language.name, language.tool))(`${language.name} samples, run here`, () => {
    it.effect("echo awkward arguments and none", () =>
      Effect.gen(function* () {
        yield* holds(yield* language.echoArguments(awkward))
        yield* holds(yield* language.echoArguments([]))
      })
    )

    it.effect("exit with the code asked for", () =>
      Effect.gen(function* () {
        for (const code of [0, 2, 255]) yield* holds(yield* language.exitWith(code))
      })
    )

    it.effect("write to standard error only", () =>
      Effect.gen(function* () {
        for (const line of ["oh no", "-n \\n", "ü"]) yield* holds(yield* language.writeStderr(line))
      })
    )

    it.effect("digest standard input, binary and empty", () =>
      Effect.gen(function* () {
        // SHA-256 pads within the block up to 55 bytes, and with one more from 56 on.
        for (const size of [0, 55, 56]) yield* holds(language.digestStdin(new Uint8Array(size)))
        yield* holds(language.digestStdin(yield* SeededBytes.bytes("stdin", "1 MB")))
      })
    )

    it.effect("have their fault found on its line, and on no other", () =>
      Effect.gen(function* () {
        const sample = yield* language.compileError(3)
        const seen = runCheck(sample)
        assert.deepStrictEqual(CompileError.mismatches(sample, seen), [], seen.stdout + seen.stderr)
        const other = yield* language.compileError(4)
        assert.deepStrictEqual(CompileError.mismatches(other, seen), [
          `the first complaint is at ${sample.path}:3, expected ${sample.path}:4`
        ])
        const repaired = { ...sample, files: Tree.makeUnsafe([Tree.file(sample.path, faultless[language.name] ?? "")]) }
        assert.deepStrictEqual(CompileError.mismatches(sample, runCheck(repaired)), [
          "exit code is 0, expected a failure",
          `the first complaint is at nowhere, expected ${sample.path}:3`
        ])
      })
    )

    it.effect("are found wrong when the expectation is another", () =>
      Effect.gen(function* () {
        const sample = yield* language.exitWith(3)
        const other = { ...sample, expected: { ...sample.expected, exitCode: 4 } }
        const found = CodeSample.mismatches(other, runSample(sample))
        assert.deepStrictEqual(found, ["exit code is 3, expected 4"])
      })
    )
  })
}

describe.runIf(available("python", "python3"))("the data analysis, run here", () => {
  it.effect("finds the exact statistics to 1e-9", () =>
    Effect.gen(function* () {
      for (const [seed, rows] of [
        ["small", 2],
        ["usual", 1000],
        ["large", 20_000]
      ] as const) {
        yield* holds(yield* dataAnalysis(yield* Dataset.linear(seed, rows)))
      }
    })
  )

  it.effect("does not fit the statistics of another dataset", () =>
    Effect.gen(function* () {
      const sample = yield* dataAnalysis(yield* Dataset.linear("one", 50))
      const other = yield* dataAnalysis(yield* Dataset.linear("another", 50))
      const found = CodeSample.mismatches(other, runSample(sample))
      const numbers = found.map((line) => /: (\w+) is/.exec(line)?.[1])
      assert.includeMembers(numbers, ["sum", "mean", "variance", "slope", "intercept"])
    })
  )
})
