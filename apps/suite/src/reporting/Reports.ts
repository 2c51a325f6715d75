/** The files that every run leaves beside its journal. */
import { RunReport } from "@sbx/core/RunReport"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RunFolder, RunStoreUnavailable } from "../RunStore.ts"
import * as JUnit from "./JUnit.ts"
import * as Summary from "./Summary.ts"

const encode = Schema.encodeEffect(Schema.fromJsonString(RunReport))

/** Writes `report.json`, `junit.xml` and `summary.md`. */
export const write = Effect.fn("Reports.write")(function* (
  folder: Pick<RunFolder, "write">,
  report: RunReport
): Effect.fn.Return<void, RunStoreUnavailable> {
  yield* folder.write("report.json", `${yield* Effect.orDie(encode(report))}\n`)
  yield* folder.write("junit.xml", JUnit.make(report))
  yield* folder.write("summary.md", Summary.markdown(report))
})
