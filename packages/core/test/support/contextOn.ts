/** A sandbox's context on a journal in memory and an engine of the test's own: for what needs a clock, not a kernel. */
import type { ContainerInspect, ContainerState, EngineShape } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import { Context, Effect, Layer } from "effect"
import type { SandboxContext } from "../../src/internal/execStart.ts"
import * as ExecEnds from "../../src/internal/execEnds.ts"
import * as Recorder from "../../src/internal/sandboxRecorder.ts"
import { create } from "./lifecycle.ts"
import { spec } from "./spec.ts"

const state: ContainerState = {
  status: "running",
  running: true,
  paused: false,
  restarting: false,
  oomKilled: false,
  hostPid: undefined,
  exitCode: undefined,
  error: "",
  startedAtMillis: 600,
  finishedAtMillis: undefined,
  health: "none"
}

export const inspected = (change: Partial<ContainerState> = {}): ContainerInspect => ({
  id: "c1",
  name: "sbx-j-a-1",
  imageId: "sha256:00",
  labels: {},
  env: [],
  user: "",
  createdAtMillis: 500,
  restartCount: 0,
  state: { ...state, ...change },
  host: {},
  mounts: [],
  networks: {},
  execIds: []
})

/** What is not given is a defect when called. */
export const engineOf = Effect.fnUntraced(function* (methods: Partial<EngineShape>) {
  const mock = Layer.mock(Engine, { endpoint: { kind: "explicit", address: "unix:///none" }, ...methods })
  return Context.get(yield* Layer.build(mock), Engine)
})

/** Running since 600 ms. */
export const contextOn = Effect.fnUntraced(function* (methods: Partial<EngineShape>) {
  const engine = yield* engineOf(methods)
  const recorder = yield* Recorder.make(yield* Journal, "sbx_aaaaaaaaaaaaaaaa")
  yield* recorder.submit(create(1))
  yield* Recorder.observe(recorder, inspected({ startedAtMillis: undefined, status: "created", running: false }))
  yield* recorder.submit({ _tag: "Start", atMillis: 550 })
  yield* Recorder.observe(recorder, inspected())
  const context: SandboxContext = {
    engine,
    recorder,
    id: "sbx_aaaaaaaaaaaaaaaa",
    spec,
    uid: 100_000,
    user: "100000:100000",
    execDefaults: { timeout: "30 seconds", outputLimitBytes: 1024 },
    execEnds: ExecEnds.silent,
    containerId: () => "c1"
  }
  return context
})
