/** What contract laws share: labelled objects that are removed when the test's scope closes, and short ways to say things. */
import { Context, Effect, Layer, Schedule, Stream } from "effect"
import type { Scope } from "effect"
import { randomUUID } from "node:crypto"
import type { ContainerSpec } from "../../ContainerSpec.ts"
import type { EngineShape, ExecSpec, OutputFrame } from "../../Engine.ts"
import { Engine } from "../../Engine.ts"
import { awaitExecExit } from "../../ExecExit.ts"
import type { Argv, ContractPrograms } from "../../testing/ContractPrograms.ts"

/** What the laws need besides the engine: an image, which has a command of its own and the folders `/bin` and `/tmp`, and programs that run in it. */
export interface ContractOptions {
  readonly image: string
  readonly programs: ContractPrograms
}

export interface FixtureShape {
  readonly engine: EngineShape
  readonly image: string
  readonly programs: ContractPrograms
  /** On every object, so that a look by label sees this run's only. */
  readonly labels: Readonly<Record<string, string>>
  readonly name: (what: string) => string
}

export class Fixture extends Context.Service<Fixture, FixtureShape>()("@sbx/engine/internal/ContractFixture") {}

const makeFixture = (options: ContractOptions) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const run = randomUUID().slice(0, 8)
    let count = 0
    return {
      engine,
      image: options.image,
      programs: options.programs,
      labels: { "sbx.test": run },
      name: (what: string) => `sbx-test-${run}-${what}-${count++}`
    }
  })

export const fixture = <E>(engine: Layer.Layer<Engine, E>, options: ContractOptions): Layer.Layer<Fixture, E> =>
  Layer.effect(Fixture, makeFixture(options)).pipe(Layer.provide(engine))

/** Creates; the container goes with the scope. */
export const container = (spec: Partial<ContainerSpec> = {}) =>
  Effect.gen(function* () {
    const { engine, image, labels, name, programs } = yield* Fixture
    return yield* Effect.acquireRelease(
      engine.createContainer({
        name: name("c"),
        image,
        command: programs.sleeps,
        ...spec,
        labels: { ...labels, ...spec.labels },
        host: { networkMode: "none", ...spec.host }
      }),
      (id) => Effect.orDie(engine.removeContainer(id))
    )
  })

export const running = (spec: Partial<ContainerSpec> = {}) =>
  Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* container(spec)
    yield* engine.startContainer(id)
    return id
  })

export const textOf = (frames: Iterable<OutputFrame>, channel: OutputFrame["channel"]) =>
  Buffer.concat([...frames].filter((frame) => frame.channel === channel).map(({ bytes }) => bytes)).toString()

/** Runs to the end: input half-closed, exit code awaited. */
export const run = (id: string, spec: ExecSpec, input?: Uint8Array) =>
  Effect.gen(function* () {
    const { engine } = yield* Fixture
    const connection = yield* engine.exec(id, { ...spec, stdin: input !== undefined })
    const feed = input === undefined ? Effect.void : Effect.andThen(connection.writeStdin(input), connection.endStdin)
    const [frames] = yield* Effect.all([Stream.runCollect(connection.output), feed], { concurrency: 2 })
    const { exitCode } = yield* awaitExecExit(engine, connection.execId, "10 seconds")
    return { exitCode, stdout: textOf(frames, "stdout"), stderr: textOf(frames, "stderr") }
  }).pipe(Effect.scoped)

/** Runs one of the programs to its end. */
export const runProgram = (id: string, choose: (programs: ContractPrograms) => Argv) =>
  Effect.flatMap(Fixture, ({ programs }) => run(id, { argv: choose(programs) }))

/** Repeats a look until it satisfies; about ten seconds at most. */
export const eventually = <A, E, R>(look: Effect.Effect<A, E, R>, fact: (value: A) => boolean) =>
  look.pipe(Effect.repeat({ until: fact, schedule: Schedule.spaced("20 millis") }), Effect.timeout("10 seconds"))

export type Law<E = unknown> = Effect.Effect<void, E, Fixture | Scope.Scope>
