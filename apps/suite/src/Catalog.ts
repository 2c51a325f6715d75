/** Every scenario of the suite, in the order in which they are listed and run. */
import type { Scenario } from "@sbx/core/Scenario"
import type { Services } from "./Composition.ts"

export const catalog: ReadonlyArray<Scenario<Services>> = []
