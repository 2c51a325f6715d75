import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CompileError from "../src/CompileError.ts"
import * as Languages from "../src/Languages.ts"

/** What the checkers print for their fault on line 3; go's in the form of its documentation, the others as seen. */
const printed: Record<string, string> = {
  python: '  File "faulty.py", line 3\n    total = 1 +\n               ^\nSyntaxError: invalid syntax\n',
  javascript: "/tmp/x/faulty.cjs:3\nconst = 1\n      ^\n\nSyntaxError: Unexpected token '='\n",
  typescript: "faulty.mts(3,14): error TS2322: Type 'string' is not assignable to type 'number'.\n",
  go: '# command-line-arguments\n./faulty.go:3:45: cannot use "three" (untyped string constant) as int value\n',
  rust: "error[E0308]: mismatched types\n --> faulty.rs:3:31\n  |\n",
  c: "faulty.c: In function 'main':\nfaulty.c:3:24: error: 'missing' undeclared\n",
  shell: 'faulty.sh: 3: Syntax error: ")" unexpected\n'
}

describe("CompileError", () => {
  for (const language of Languages.all) {
    it.effect(`reads file and line from what a ${language.name} checker prints`, () =>
      Effect.gen(function* () {
        const sample = yield* language.compileError(3)
        const output = printed[language.name] ?? assert.fail("nothing printed")
        for (const seen of [
          { exitCode: 1, stdout: "", stderr: output },
          { exitCode: 2, stdout: output, stderr: "" }
        ]) {
          assert.deepStrictEqual(CompileError.mismatches(sample, seen), [])
        }
        assert.deepStrictEqual(CompileError.mismatches(sample, { exitCode: 127, stdout: "", stderr: "not found" }), [
          `the first complaint is at nowhere, expected ${sample.path}:3`
        ])
      })
    )

    it.effect(`puts the fault of ${language.name} on the line asked for and refuses other lines`, () =>
      Effect.gen(function* () {
        for (const line of [1, 2, CompileError.maxLine]) {
          const sample = yield* language.compileError(line)
          const [entry] = sample.files.entries
          const text = entry?.kind === "file" ? new TextDecoder().decode(entry.content) : ""
          assert.strictEqual(text.trimEnd().split("\n").length, line)
        }
        for (const line of [0, -1, 1.5, NaN, CompileError.maxLine + 1]) {
          const error = yield* Effect.flip(language.compileError(line))
          assert.strictEqual(error._tag, "InvalidLine")
        }
        assert.strictEqual(
          (yield* Effect.flip(language.compileError(0))).message,
          "Could not build a faulty program: line 0 cannot hold the fault.\nGive a whole number from 1 to 10000."
        )
      })
    )
  }
})
