/** Where a benchmark keeps its files while it runs, on the disk that runs use, so that durability costs what it costs there. */
import * as Context from "effect/Context"

export class BenchPlace extends Context.Service<BenchPlace, { readonly directory: string }>()(
  "@sbx/suite/BenchPlace"
) {}
