/** Readings recorded from a real engine (`capture.ts`): the hardened sandbox in full, each weakened one by what differs. */
import type { ContainerInspect } from "@sbx/engine/Engine"
import * as Schema from "effect/Schema"
import type { Evidence } from "../../src/Evidence.ts"
import { Answer } from "../../src/Evidence.ts"
import { Expectation } from "../../src/Expectation.ts"
import recorded from "../fixtures/readings.json" with { type: "json" }

/** The settings that posture checks read. */
const Posture = Schema.Struct({
  logConfig: Schema.optionalKey(
    Schema.Struct({ type: Schema.String, config: Schema.Record(Schema.String, Schema.String) })
  ),
  restartPolicy: Schema.optionalKey(
    Schema.Struct({ name: Schema.Literals(["no", "always", "on-failure", "unless-stopped"]) })
  ),
  init: Schema.optionalKey(Schema.Boolean),
  ipcMode: Schema.optionalKey(Schema.String)
})

const Recording = Schema.Struct({
  answers: Schema.Record(Schema.String, Answer),
  posture: Posture
})
type Recording = typeof Recording.Type

export const Golden = Schema.Struct({
  engine: Schema.Struct({ version: Schema.String, kernelVersion: Schema.String, cgroupVersion: Schema.String }),
  vehicle: Schema.String,
  expected: Expectation,
  hardened: Recording,
  /** Answers equal to the hardened ones are left out. */
  weakened: Schema.Record(Schema.String, Recording)
})
export type Golden = typeof Golden.Type

export const golden: Golden = Schema.decodeUnknownSync(Golden)(recorded)

/** An inspect with nothing but a posture in it. */
export const inspectWith = (host: ContainerInspect["host"]): ContainerInspect => ({
  id: "0".repeat(64),
  name: "subject",
  imageId: "sha256:0",
  labels: {},
  env: [],
  user: "65532:65532",
  createdAtMillis: 0,
  restartCount: 0,
  state: {
    status: "running",
    running: true,
    paused: false,
    restarting: false,
    oomKilled: false,
    hostPid: 4_000_000,
    exitCode: undefined,
    error: "",
    startedAtMillis: 0,
    finishedAtMillis: undefined,
    health: "none"
  },
  host,
  mounts: [],
  networks: {},
  execIds: []
})

const hardenedAnswers = Object.entries(golden.hardened.answers)

/** The evidence of the hardened sandbox. */
export const hardened: Evidence = { answers: new Map(hardenedAnswers), inspect: inspectWith(golden.hardened.posture) }

/** The evidence of a weakened one; undefined when the engine of the recording could not make it. */
export const weakened = (name: string): Evidence | undefined => {
  const recording = golden.weakened[name]
  return recording === undefined
    ? undefined
    : {
        answers: new Map([...hardenedAnswers, ...Object.entries(recording.answers)]),
        inspect: inspectWith(recording.posture)
      }
}
