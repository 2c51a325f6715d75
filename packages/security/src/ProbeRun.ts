/**
 * Runs probes in a container: one exec per identity, whatever the number of checks. Tries the vehicles in order and believes
 * only one that finished and passed its calibration; without one every answer is `Unanswered`.
 */
import type { ContainerInspect, EngineShape, ExecSpec } from "@sbx/engine/Engine"
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { Answer, Evidence } from "./Evidence.ts"
import type { Identity, Probe } from "./Probe.ts"
import { distinct, keyOf } from "./Probe.ts"
import { parse } from "./ProbeOutput.ts"
import type { ProbeProgram, ProbeVehicle } from "./ProbeVehicle.ts"
import { calibrate, calibrationProbes, vehicles as defaultVehicles } from "./ProbeVehicle.ts"
import type { Architecture } from "./SyscallTable.ts"

type Engine = Pick<EngineShape, "exec">

export interface ProbeRunOptions {
  readonly architecture: Architecture | undefined
  readonly inspect: ContainerInspect
  readonly probes: ReadonlyArray<Probe>
  /** Default: perl, python3, sh. */
  readonly vehicles?: ReadonlyArray<ProbeVehicle>
  /** For one vehicle of one identity. Default 10 seconds. */
  readonly timeout?: Duration.Input
}

export interface ProbeRun {
  readonly evidence: Evidence
  /** The vehicle that was believed, by identity; absent when none was. */
  readonly vehicles: Readonly<Partial<Record<Identity, string>>>
  /** Why vehicles before it were not, e.g. `user perl: did not finish`. */
  readonly refused: ReadonlyArray<string>
}

export type ProbeError = CallError | ObjectNotFound | EngineConflict

/** Output beyond this is cut, which shows as an unfinished script. */
const outputLimitBytes = 4 * 1024 * 1024

/** Asks all probes, each identity in its own exec, and adds what the engine says about the container. */
export const gather = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: string,
  options: ProbeRunOptions
): Effect.fn.Return<ProbeRun, ProbeError> {
  const parts = yield* Effect.forEach(
    ["user", "root"] as const,
    (identity) => climb(engine, containerId, identity, options),
    {
      concurrency: 2
    }
  )
  return {
    evidence: { answers: new Map(parts.flatMap((part) => [...part.answers])), inspect: options.inspect },
    vehicles: Object.fromEntries(
      parts.flatMap((part) => (part.vehicle === undefined ? [] : [[part.identity, part.vehicle]]))
    ),
    refused: parts.flatMap((part) => part.refused)
  }
})

interface Part {
  readonly identity: Identity
  readonly answers: ReadonlyMap<string, Answer>
  readonly vehicle: string | undefined
  readonly refused: ReadonlyArray<string>
}

const climb = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: string,
  identity: Identity,
  options: ProbeRunOptions
): Effect.fn.Return<Part, ProbeError> {
  const asked = options.probes.filter((probe) => probe.identity === identity)
  const probes = distinct([...calibrationProbes(identity), ...asked])
  const refused: Array<string> = []
  for (const vehicle of options.vehicles ?? defaultVehicles) {
    const nonce = yield* drawNonce
    const program: ProbeProgram = {
      nonce,
      architecture: options.architecture,
      hostPid: options.inspect.state.hostPid,
      probes
    }
    const stdout = yield* execute(engine, containerId, vehicle, program, options.timeout ?? "10 seconds")
    const believed = believe(vehicle, program, identity, stdout)
    if (typeof believed !== "string") return { identity, answers: believed, vehicle: vehicle.name, refused }
    refused.push(`${identity} ${vehicle.name}: ${believed}`)
  }
  const reason = `no vehicle works: ${refused.join("; ")}`
  const answers = new Map(probes.map((probe): [string, Answer] => [keyOf(probe), { _tag: "Unanswered", reason }]))
  return { identity, answers, vehicle: undefined, refused }
})

/** The answers by key when the vehicle is believed, else why it is not. */
export const believe = (
  vehicle: ProbeVehicle,
  program: ProbeProgram,
  identity: Identity,
  stdout: string
): ReadonlyMap<string, Answer> | string => {
  const output = parse(stdout, program.nonce)
  const carried = program.probes.filter((probe) => vehicle.refusal(probe, program) === undefined).length
  if (output.finished !== carried)
    return output.answers.size === 0 && output.finished === undefined
      ? `did not run (${stdout.trim().slice(0, 120) || "no output"})`
      : `answered ${output.answers.size} of ${carried} probes and did not finish`
  const answers = new Map(
    program.probes.map((probe, index): [string, Answer] => {
      const refusal = vehicle.refusal(probe, program)
      const reason = refusal === undefined ? "was not answered" : `${vehicle.name}: ${refusal}`
      return [keyOf(probe), output.answers.get(index) ?? { _tag: "Unanswered", reason }]
    })
  )
  return calibrate({ answers, inspect: undefined }, identity) ?? answers
}

const drawNonce = Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 0xffffffff), 4), (words) =>
  words.map((word) => word.toString(16).padStart(8, "0")).join("")
)

/** Standard output of the script; empty when the interpreter is missing, what there was when it did not end in time. */
const execute = (
  engine: Engine,
  containerId: string,
  vehicle: ProbeVehicle,
  program: ProbeProgram,
  timeout: Duration.Input
): Effect.Effect<string, ProbeError> => {
  const spec: ExecSpec = {
    argv: vehicle.argv,
    env: vehicle.env,
    stdin: true,
    ...(program.probes[0]?.identity === "root" ? { user: "0:0" } : {})
  }
  const chunks: Array<Uint8Array> = []
  const run = Effect.gen(function* () {
    const connection = yield* engine.exec(containerId, spec)
    // An interpreter that is missing or dies early breaks the pipe; its output says what happened.
    yield* Effect.ignore(
      Effect.andThen(connection.writeStdin(new TextEncoder().encode(vehicle.script(program))), connection.endStdin)
    )
    let total = 0
    yield* connection.output.pipe(
      Stream.takeWhile(() => total < outputLimitBytes),
      Stream.runForEach((frame) =>
        Effect.sync(() => {
          total += frame.bytes.length
          if (frame.channel === "stdout") chunks.push(frame.bytes)
        })
      )
    )
  }).pipe(Effect.scoped, Effect.timeoutOption(timeout), Effect.map(Option.isSome))
  const missing = (error: InvalidRequest) =>
    Effect.sync(() => void chunks.push(new TextEncoder().encode(`the engine: ${error.reason}`)))
  return Effect.catchTag(run, "InvalidRequest", missing).pipe(Effect.map(() => decode(chunks)))
}

const decode = (chunks: ReadonlyArray<Uint8Array>): string => {
  const decoder = new TextDecoder()
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode()
}
