// @effect-diagnostics processEnv:off -- the global set-up hands the engine over through the environment
/** The engine of real-engine tests, seen from outside, and the environment that leads the command line to it. */
import { writeFileSync } from "node:fs"
import * as path from "node:path"
import { keys } from "@sbx/core/SandboxLabels"
import * as Docker from "@sbx/engine/Docker"
import { Engine, type EngineEvent } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"

const given = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: the global set-up did not run`)
  return value
}

export const address = given("SBX_TEST_ENGINE")
const image = given("SBX_TEST_IMAGE_TINY")
/** The engine is sbx's own, so that one more of its kind can be had here. */
export const isPrivate = process.env["SBX_TEST_ENGINE_KIND"] === "private"

/** The machine's state folder, as in production: uids are leased in one place. */
export const env = (endpoint = address): Readonly<Record<string, string>> => {
  const stateDir = process.env["SBX_STATE_DIR"]
  return { DOCKER_HOST: endpoint, ...(stateDir === undefined ? {} : { SBX_STATE_DIR: stateDir }) }
}

/** Names of the containers and volumes of one run. */
export const objectsOf = (runId: string): Promise<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const labels = { [keys.run]: runId }
    const containers = yield* engine.listContainers(labels)
    const volumes = yield* engine.listVolumes(labels)
    return [...containers, ...volumes].map(({ name }) => name)
  }).pipe(Effect.provide(Docker.layer({ kind: "explicit", address })), Effect.runPromise)

const onEngine = <A, E>(program: Effect.Effect<A, E, Engine>): Promise<A> =>
  Effect.runPromise(Effect.provide(program, Docker.layer({ kind: "explicit", address })))

/** Status of a container by the engine's own word, or that it has none of that id. */
export const stateOf = (containerId: string): Promise<string> =>
  onEngine(
    Effect.flatMap(Engine, (engine) => engine.inspectContainer(containerId)).pipe(
      Effect.map(({ state }) => state.status),
      Effect.catchTag("ObjectNotFound", () => Effect.succeed("absent"))
    )
  )

/** Names by which containers and volumes that others made show on the machine: ids, volume names, host pids. */
export const foreignTo = (isOurs: (labels: Readonly<Record<string, string>>) => boolean) =>
  onEngine(
    Effect.gen(function* () {
      const engine = yield* Engine
      const containers = (yield* engine.listContainers({})).filter(({ labels }) => !isOurs(labels))
      const volumes = (yield* engine.listVolumes({})).filter(({ labels }) => !isOurs(labels))
      const pids = yield* Effect.forEach(containers, ({ id }) =>
        engine.inspectContainer(id).pipe(
          Effect.map(({ state }) => state.hostPid),
          Effect.catchTag("ObjectNotFound", () => Effect.undefined)
        )
      )
      return {
        names: [...containers.map(({ id }) => id), ...volumes.map(({ name }) => name)],
        pids: pids.filter((pid) => pid !== undefined)
      }
    })
  )

/** Ids of the containers that others make from now on: what those leave behind is not ours to answer for. */
export const watchForeign = (isOurs: (labels: Readonly<Record<string, string>>) => boolean) => {
  const ids = new Set<string>()
  const see = ({ type, actorId, attributes }: EngineEvent) => {
    if (type === "container" && !isOurs(attributes)) ids.add(actorId)
  }
  const watching = Effect.flatMap(Engine, (engine) =>
    Stream.runForEach(engine.events({ labels: {} }), (event) => Effect.sync(() => see(event)))
  )
  const fiber = Effect.runFork(Effect.provide(watching, Docker.layer({ kind: "explicit", address })))
  return { ids, stop: () => Effect.runPromise(Fiber.interrupt(fiber)) }
}

/** Every object of the engine with these labels. */
export const objectsWith = (isOurs: (labels: Readonly<Record<string, string>>) => boolean) =>
  onEngine(
    Effect.gen(function* () {
      const engine = yield* Engine
      const all = [
        ...(yield* engine.listContainers({})),
        ...(yield* engine.listVolumes({})),
        ...(yield* engine.listNetworks({}))
      ]
      return all.filter(({ labels }) => isOurs(labels)).map(({ name }) => name)
    })
  )

const imports = [
  'import { FailureInjector } from "@sbx/chaos/FailureInjector"',
  'import { cpuStress } from "@sbx/chaos/Fault"',
  'import { Sandboxes } from "@sbx/core/Sandboxes"',
  'import { Engine } from "@sbx/engine/Engine"',
  'import * as Scenario from "@sbx/core/Scenario"',
  'import * as Effect from "effect/Effect"'
]

/** Writes a file of one scenario; `body` may use `sandbox`, `context`, `Effect`, `Engine`, `Sandboxes` and faults. */
export const scenario = (cwd: string, name: string, body: string, options = "{}"): string => {
  const text = [
    ...imports,
    "const program = Effect.gen(function* () {",
    "  const context = yield* Scenario.ScenarioContext",
    `  const sandbox = yield* (yield* Sandboxes).make({ image: ${JSON.stringify(image)} })`,
    body,
    "})",
    `export default Scenario.make("mine/${name}", { description: "${name}", timeout: "60 seconds", ...${options} }, program)`
  ]
  writeFileSync(path.join(cwd, `${name}.scenario.ts`), `${text.join("\n")}\n`)
  return `./${name}.scenario.ts`
}

/** A scenario that judges nothing does not pass. */
export const passes = '  yield* context.check("it got here", true)'

/** The scenario says so once its sandbox runs, and then goes on for ever. */
export const hang = '  yield* context.step("hang", Effect.never)'
export const hanging = "mine/hang: hang"
