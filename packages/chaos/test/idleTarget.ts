/** An idle container with a quota as the target of a stress, and what the kernel has below its cgroup. */
import { assert, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import type { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FailureInjector } from "../src/FailureInjector.ts"
import * as Cgroup from "../src/internal/hostCgroup.ts"
import { injectorLayer } from "./testEngine.ts"

type Services = FailureInjector | Engine | Journal | Scope.Scope

export const live = <A, E>(title: string, effect: () => Effect.Effect<A, E, Services>) =>
  it.live(title, () => effect().pipe(Effect.scoped, Effect.provide(injectorLayer())), 60_000)

export const idle = { command: ["sleep", "600"], host: { nanoCpus: 5e8, networkMode: "none" } }

/** Host pids below the target's cgroup, its own included. */
export const processesBelow = Effect.fnUntraced(function* ({ containerId }: ContainerTarget) {
  const engine = yield* Engine
  const { id, state } = yield* engine.inspectContainer(containerId)
  const path = Cgroup.pathOf(id, state.hostPid)
  assert.isDefined(path, "the engine is local and its cgroups are visible")
  return { path, pids: Cgroup.processes(path) }
})

export const tags = (events: ReadonlyArray<{ readonly _tag: string }>) => events.map((event) => event._tag)
