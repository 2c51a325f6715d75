/** A `CgroupSource` over recorded files and scripted answers of the engine. */
import type { ContainerInspect } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CgroupOptions } from "../src/CgroupSource.ts"
import * as CgroupSource from "../src/CgroupSource.ts"
import type { HostFiles } from "../src/internal/hostFiles.ts"
import { target } from "./readings.ts"
import { inspected } from "./recordedHost.ts"

const gone = Effect.fail(new ObjectNotFound({ operation: "read", kind: "container", id: target.containerId }))

/** A reader of these files, and an engine that answers in turn, the last answer for ever. Closed with the scope. */
export const reader = Effect.fnUntraced(function* (
  { files }: { readonly files: HostFiles },
  answers: ReadonlyArray<ContainerInspect | "gone"> = [inspected()],
  options?: CgroupOptions
) {
  let asked = 0
  const mock = Layer.mock(Engine)({
    endpoint: { kind: "explicit", address: "unix:///nowhere" },
    inspectContainer: () =>
      Effect.suspend(() => {
        const answer = answers[Math.min(asked++, answers.length - 1)] ?? "gone"
        return answer === "gone" ? gone : Effect.succeed(answer)
      })
  })
  const engine = yield* Effect.provide(Engine, mock)
  return { read: yield* CgroupSource.make(engine, { ...options, files }), asked: () => asked }
})
