import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CodeSample from "../src/CodeSample.ts"
import * as Dataset from "../src/Dataset.ts"
import * as Languages from "../src/Languages.ts"
import { dataAnalysis, python } from "../src/samples/Python.ts"
import * as Tree from "../src/Tree.ts"

/** A run that shows exactly what the sample expects. */
const faultless = (sample: CodeSample.CodeSample): CodeSample.Observed => ({
  ...sample.expected,
  files: Object.fromEntries(sample.expected.results.map(({ path, numbers }) => [path, JSON.stringify(numbers)]))
})

describe("Languages", () => {
  it.effect("finds each language under its own name", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        Languages.all.map((language) => language.name),
        ["python", "javascript", "typescript", "go", "rust", "c", "shell"]
      )
      for (const language of Languages.all) {
        assert.strictEqual(yield* Languages.get(language.name), language)
      }
    })
  )

  for (const name of ["cobol", "Python", "", "toString"]) {
    it.effect(`refuses "${name}" and lists what is known`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Languages.get(name))
        assert.strictEqual(error._tag, "UnknownLanguage")
        assert.strictEqual(
          error.message,
          `Could not find code samples: language "${name}" is unknown.\nUse one of: python, javascript, typescript, go, rust, c, shell.`
        )
      })
    )
  }
})

for (const language of Languages.all) {
  describe(`samples in ${language.name}`, () => {
    it.effect("compute the outcome from the arguments", () =>
      Effect.gen(function* () {
        const echo = yield* language.echoArguments(["a b", "", "-n"])
        assert.deepStrictEqual(echo.argv.slice(-3), ["a b", "", "-n"])
        assert.strictEqual(echo.expected.stdout, "a b\n\n-n\n")
        assert.strictEqual((yield* language.exitWith(7)).expected.exitCode, 7)
        assert.strictEqual((yield* language.writeStderr("oh")).expected.stderr, "oh\n")
        assert.strictEqual(
          language.digestStdin(new TextEncoder().encode("abc")).expected.stdout,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        )
      })
    )

    it.effect("name a file that they bring", () =>
      Effect.gen(function* () {
        const sample = yield* language.echoArguments(["x"])
        assert.include([...sample.build.flat(), ...sample.argv], sample.files.entries.map((entry) => entry.path).join())
        assert.isAbove(Tree.size(sample.files), 0)
      })
    )

    it.effect("refuse what no process can receive or return", () =>
      Effect.gen(function* () {
        const errors = yield* Effect.all([
          Effect.flip(language.echoArguments(["fine", "a\0b"])),
          Effect.flip(language.writeStderr("\ud800")),
          Effect.flip(language.exitWith(256)),
          Effect.flip(language.exitWith(-1)),
          Effect.flip(language.exitWith(0.5))
        ])
        assert.deepStrictEqual(
          errors.map((error) => error.fact),
          [
            "argument 2 holds NUL or a lone surrogate",
            "argument 1 holds NUL or a lone surrogate",
            "exit code 256 is not a whole number from 0 to 255",
            "exit code -1 is not a whole number from 0 to 255",
            "exit code 0.5 is not a whole number from 0 to 255"
          ]
        )
        assert.match(errors[0].message, /^Could not build sample echoArguments: .+\.\n.+\.$/)
      })
    )
  })
}

describe("mismatches", () => {
  it.effect("finds nothing in a faultless run and each wrong field in others", () =>
    Effect.gen(function* () {
      const sample = yield* python.echoArguments(["x"])
      const seen = faultless(sample)
      assert.deepStrictEqual(CodeSample.mismatches(sample, seen), [])
      const wrong = { ...seen, exitCode: 1, stdout: "x", stderr: "Traceback" }
      assert.deepStrictEqual(CodeSample.mismatches(sample, wrong), [
        "exit code is 1, expected 0",
        'stdout is "x", expected "x\n"',
        'stderr is "Traceback", expected ""'
      ])
    })
  )

  it.effect("judges each number of a result file to its tolerance", () =>
    Effect.gen(function* () {
      const sample = yield* dataAnalysis(yield* Dataset.linear("judge", 10))
      const seen = faultless(sample)
      assert.deepStrictEqual(CodeSample.mismatches(sample, seen), [])
      const numbers = sample.expected.results[0]?.numbers ?? assert.fail("no numbers")
      const withMean = (mean: unknown) =>
        CodeSample.mismatches(sample, {
          ...seen,
          files: { "result.json": JSON.stringify({ ...numbers, mean }) }
        })
      const mean = numbers["mean"] ?? assert.fail("no mean")
      const allowed = 1e-9 * Math.max(1, Math.abs(mean))
      assert.deepStrictEqual(withMean(mean + allowed / 2), [])
      for (const bad of [mean + allowed * 2, mean - allowed * 2, String(mean), null, undefined]) {
        assert.deepStrictEqual(withMean(bad).length, 1, String(bad))
      }
      const without = { ...seen, files: {} }
      assert.deepStrictEqual(CodeSample.mismatches(sample, without), ["result.json was not written"])
      for (const text of ["", "NaN", "[1]", '{"mean": NaN}']) {
        const found = CodeSample.mismatches(sample, { ...seen, files: { "result.json": text } })
        assert.include(found[0], "result.json is no JSON object")
      }
    })
  )

  it.effect("refuses an analysis that has no answer", () =>
    Effect.gen(function* () {
      const tooSmall = yield* Dataset.linear("small", 1)
      assert.strictEqual((yield* Effect.flip(dataAnalysis(tooSmall))).column, "x")
      const fine = yield* Dataset.linear("fine", 5)
      const error = yield* Effect.flip(dataAnalysis(fine, { x: "x", y: "group" }))
      assert.strictEqual(error.fact, "it is text")
    })
  )
})
