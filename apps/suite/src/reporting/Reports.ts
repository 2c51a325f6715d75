/** The files that every run leaves beside its journal. */
import { RunReport } from "@sbx/core/RunReport"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RunFolder, RunStoreUnavailable } from "../RunStore.ts"
import * as Html from "./Html.ts"
import * as JUnit from "./JUnit.ts"
import * as Summary from "./Summary.ts"
import type { Timeline } from "./Timeline.ts"

const encode = Schema.encodeEffect(Schema.fromJsonString(RunReport))

/** Writes `report.json`, `junit.xml`, `summary.md` and `report.html`. */
export const write = Effect.fn("Reports.write")(function* (
  folder: Pick<RunFolder, "write">,
  report: RunReport,
  timeline: Timeline
): Effect.fn.Return<void, RunStoreUnavailable> {
  yield* folder.write("report.json", `${yield* Effect.orDie(encode(report))}\n`)
  yield* folder.write("junit.xml", JUnit.make(report))
  yield* folder.write("summary.md", Summary.markdown(report))
  yield* folder.write("report.html", Html.html(report, timeline))
})
