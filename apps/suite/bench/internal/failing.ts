/** Turns whatever a benchmark may fail with into the one error that says which benchmark and why. */
import * as Effect from "effect/Effect"
import { BenchmarkFailed } from "../Benchmark.ts"

export const failing =
  (benchmark: string) =>
  <A, E extends { readonly message: string }, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, BenchmarkFailed, R> =>
    Effect.mapError(self, (error) =>
      error instanceof BenchmarkFailed ? error : new BenchmarkFailed({ benchmark, detail: error.message })
    )
