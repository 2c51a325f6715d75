/** The real engine of integration tests: `SBX_TEST_ENGINE`, else `DOCKER_HOST`; without either every test is red with advice. */
import * as Owner from "@sbx/core/Owner"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import * as Docker from "@sbx/engine/Docker"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { FailureEvents } from "../src/FailureEvent.ts"
import type { InjectorOptions } from "../src/FailureInjector.ts"
import { layer } from "../src/FailureInjector.ts"

const endpoint = Config.String("SBX_TEST_ENGINE").pipe(Config.orElse(() => Config.String("DOCKER_HOST")))
export const tiny = Config.String("SBX_TEST_IMAGE_TINY")
export const base = Config.String("SBX_TEST_IMAGE_BASE")

export const engineLayer = Layer.unwrap(
  Effect.gen(function* () {
    const address = yield* Effect.option(endpoint)
    if (Option.isNone(address))
      return yield* Effect.die(
        new Error("No engine: set DOCKER_HOST (or SBX_TEST_ENGINE) to run the integration tests.")
      )
    return Docker.layer({ kind: "explicit", address: address.value })
  })
)

/** Starts a container that is removed with the scope. Names are unique per run, so that runs do not meet. */
export const container = Effect.fnUntraced(function* (
  name: string,
  spec: Omit<ContainerSpec, "name" | "image"> & { readonly image?: string }
) {
  const engine = yield* Engine
  const image = spec.image ?? (yield* tiny)
  const suffix = yield* Random.nextIntBetween(0, 36 ** 6)
  const unique = `sbx-test-chaos-${name}-${suffix.toString(36)}`
  const owner = Owner.toLabel(yield* Effect.provide(Owner.current, NodeFileSystem.layer))
  // A later process removes it by these, should this one be killed.
  const ours = SandboxLabels.encode({ ...labels, owner, stream: `test/${unique}` })
  const containerId = yield* Effect.acquireRelease(
    engine.createContainer({ ...spec, labels: { ...ours, ...spec.labels }, image, name: unique }),
    (id) => Effect.orDie(engine.removeContainer(id))
  )
  yield* engine.startContainer(containerId)
  return { containerId, name: unique } satisfies ContainerTarget
})

const labels = {
  journal: "test",
  journalPath: "",
  run: "run_test",
  intent: 1,
  epoch: 1,
  deadline: 0,
  kind: "sandbox"
} as const

/** Runs an injector on the real engine with a journal in memory. */
export const injectorLayer = (options?: Partial<InjectorOptions>) =>
  Layer.unwrap(
    Effect.map(tiny, (sidecarImage) =>
      Layer.provideMerge(
        layer({ sidecarImage, run: "run_test", ...options }),
        Layer.mergeAll(engineLayer, Memory.layer)
      ).pipe(Layer.provide(NodeFileSystem.layer))
    )
  )

/** Everything on record about a fault, in order. */
export const eventsOf = Effect.fnUntraced(function* (faultId: string) {
  const journal = yield* Journal
  const recorded = yield* Stream.runCollect(FailureEvents.read(journal, FailureEvents.stream(faultId)))
  return recorded.map((event) => event.payload)
})

/** Containers of faults on a target, in any state. */
export const sidecarsOf = Effect.fnUntraced(function* (containerId: string) {
  const engine = yield* Engine
  return yield* engine.listContainers({ "sbx.chaos.target": containerId })
})

/** Polls a fact; fails after 40 seconds. */
export const eventually = <E, R>(fact: Effect.Effect<boolean, E, R>) =>
  fact.pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("10 millis") }),
    Effect.timeout("40 seconds")
  )
