/** A test with a monitor of the real engine as users get it, and a container's bound of half a core. */
import { it } from "@effect/vitest"
import type { Engine } from "@sbx/engine/Engine"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as AutoSource from "../src/AutoSource.ts"
import { layer, type Monitor } from "../src/Monitor.ts"
import { engineLayer } from "./testEngine.ts"

const monitorLayer = Layer.provideMerge(
  layer,
  Layer.mergeAll(Layer.provideMerge(AutoSource.layer, engineLayer), Memory.layer)
)

export const live = <A, E>(title: string, effect: () => Effect.Effect<A, E, Monitor | Engine | Scope.Scope>) =>
  it.live(title, () => effect().pipe(Effect.scoped, Effect.provide(monitorLayer)), 120_000)

export const half = { nanoCpus: 5e8, networkMode: "none" }
