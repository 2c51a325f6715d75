/**
 * A private engine of the torture's own, in a state folder of its own, so that killing it harms nobody else. Packages and images are
 * those of the machine's state folder where it has them.
 */
import * as Docker from "@sbx/engine/Docker"
import * as StateRoot from "@sbx/engine/StateRoot"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { dirname } from "node:path"
import { TortureFailed } from "../Torture.ts"
import * as Program from "./program.ts"
import * as Remains from "./remains.ts"

export interface OwnEngine {
  /** Leads the command line to this engine. */
  readonly env: Readonly<Record<string, string>>
  readonly endpoint: string
  /** Starts it where it does not run; fails when that does not work. */
  readonly up: Effect.Effect<void, TortureFailed>
  /** Its daemon answers. */
  readonly answers: Effect.Effect<boolean>
  /** Process id of its daemon; fails when it does not run. */
  readonly daemon: Effect.Effect<number, TortureFailed>
  /** The command line against this engine, to its end; killed, and without an exit code, after three minutes. */
  readonly command: (args: ReadonlyArray<string>) => Effect.Effect<Program.Ended>
  /** Objects whose journal lies beneath `cwd`. */
  readonly objectsOf: (cwd: string) => Effect.Effect<ReadonlyArray<string>, TortureFailed>
}

/** A command of sbx that takes longer hangs, which is a finding like another exit code. */
const commandLimit = "3 minutes"
const hung: Program.Ended = { code: null, signal: "SIGKILL" }

const Status = Schema.fromJsonString(Schema.Struct({ kind: Schema.String, endpoint: Schema.String }))

/** Down, and its state gone, with the scope. */
export const make = Effect.fnUntraced(function* (torture: string, directory: string) {
  const fs = yield* FileSystem
  const shared = yield* StateRoot.config
  const state = `${directory}/state`
  yield* fs.makeDirectory(state, { recursive: true })
  for (const part of ["packages", "images"]) {
    if (yield* fs.exists(`${shared}/${part}`)) yield* fs.symlink(`${shared}/${part}`, `${state}/${part}`)
  }
  const env = { SBX_STATE_DIR: state, DOCKER_HOST: "", DOCKER_CONTEXT: "" }
  const failed = (detail: string) => new TortureFailed({ torture, detail })
  const output = (name: string) => `${directory}/${name}.log`
  const command = (args: ReadonlyArray<string>, name = args.join("-")) =>
    Effect.scoped(
      Effect.flatMap(Program.start({ args, cwd: directory, env, log: output(name) }), (program) => program.ended)
    ).pipe(Effect.timeoutOrElse({ duration: commandLimit, orElse: () => Effect.succeed(hung) }))
  const up = Effect.flatMap(command(["engine", "up"]), ({ code }) =>
    code === 0 ? Effect.void : Effect.fail(failed(`no engine came up (exit code ${code}); see ${output("engine-up")}`))
  )
  yield* Effect.acquireRelease(up, () => Effect.ignore(command(["engine", "down", "--force"])))
  yield* command(["engine", "status", "--json"], "status")
  const { kind, endpoint } = yield* Schema.decodeEffect(Status)((yield* fs.readFileString(output("status"))).trim())
  if (kind !== "private") return yield* failed(`the engine at ${endpoint} is ${kind}; only a private one is killed`)
  const pidFile = `${dirname(new URL(endpoint).pathname)}/docker.pid`
  return {
    env,
    endpoint,
    up,
    answers: Docker.make({ kind: "private", address: endpoint }).pipe(
      Effect.flatMap((engine) => engine.ping),
      Effect.isSuccess,
      Effect.scoped
    ),
    command,
    daemon: Effect.try({
      try: () => Number(readFileSync(pidFile, "utf8").trim()),
      catch: (cause) => failed(`no process id of the daemon in ${pidFile}: ${String(cause)}`)
    }),
    objectsOf: (cwd) =>
      Remains.objectsOf(cwd).pipe(
        Effect.provide(Docker.layer({ kind: "private", address: endpoint })),
        Effect.mapError((error) => failed(error.message))
      )
  } satisfies OwnEngine
})
