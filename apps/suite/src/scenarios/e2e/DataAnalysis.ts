/**
 * A user's analysis from end to end: dataset and script go in, the result comes out, and every number is compared with exact
 * arithmetic done outside.
 */
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Checksum from "@sbx/data/Checksum"
import { mismatches } from "@sbx/data/CodeSample"
import * as Dataset from "@sbx/data/Dataset"
import { dataAnalysis as analysisSample } from "@sbx/data/samples/Python"
import * as Effect from "effect/Effect"
import { Images } from "../../Images.ts"

const target = "/workspace/analysis"

const program = Effect.gen(function* () {
  const { check, evidence, seed, step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const image = yield* (yield* Images).reference("base")
  const dataset = yield* Dataset.linear(seed)
  const sample = yield* analysisSample(dataset)
  const sandbox = yield* step("create", sandboxes.make({ image }))
  yield* step("upload", sandbox.files.uploadTree(sample.files.entries, target))
  const result = yield* step("analyse", sandbox.exec(sample.argv, { cwd: target }))
  const file = `${target}/result.json`
  const inside = yield* sandbox.execOk(["sha256sum", file])
  const bytes = yield* step("download", sandbox.files.read(file))
  const text = new TextDecoder().decode(bytes)
  const wrong = mismatches(sample, { ...result, files: { "result.json": text } })
  yield* evidence("result", text.trim())
  yield* check("every number equals the reference to 1e-9", wrong.length === 0, {
    expected: JSON.stringify(sample.expected.results[0]?.numbers),
    actual: wrong.join("; ")
  })
  const expected = inside.stdout.split(" ")[0] ?? ""
  const actual = Checksum.ofBytes(bytes)
  yield* check("the result file comes back intact", actual === expected, { expected, actual })
})

export const dataAnalysis = Scenario.make(
  "e2e/data-analysis",
  {
    description: "CSV and script uploaded, numeric result equal to the reference to 1e-9, result file intact",
    tags: ["smoke"],
    images: ["base"],
    timeout: "60 seconds"
  },
  program
)
