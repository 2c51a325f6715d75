/** The engine that this machine's tests run on, as a subject of the model. No engine is red with advice, never a skip. */
import * as Docker from "@sbx/engine/Docker"
import { shellPrograms } from "@sbx/engine/testing/ContractPrograms"
import { Config, Data, Effect, Option } from "effect"
import type { Subject } from "./engineDriver.ts"

class NoTestEngine extends Data.TaggedError("NoTestEngine")<{ readonly message: string }> {}

const advice =
  "Could not find an engine for the tests: neither SBX_TEST_ENGINE nor DOCKER_HOST is set.\nRun them with `./sbx test`, or set DOCKER_HOST=unix:///path/to/docker.sock."

const address = Config.String("SBX_TEST_ENGINE").pipe(
  Config.orElse(() => Config.String("DOCKER_HOST")),
  Config.option
)

const sh = (script: string) => ["sh", "-c", script]

/** Waits in `read` for an order from a pipe on a tmpfs, which is new at each start. */
const mainScript = (trap: string) => sh(`mkfifo /run/order; ${trap}echo ready; read code < /run/order; exit $code`)

export const dockerSubject = Effect.gen(function* () {
  const found = yield* address
  if (Option.isNone(found)) return yield* new NoTestEngine({ message: advice })
  const engine = yield* Docker.make({ kind: "explicit", address: found.value })
  const image = yield* Config.String("SBX_TEST_IMAGE_TINY")
  return (run: string): Subject => ({
    engine,
    image,
    run,
    main: (which) => {
      if (which === "missing") return shellPrograms.absent
      return mainScript(which === "polite" ? "trap 'exit 42' TERM; " : "")
    },
    exits: shellPrograms.exits,
    crashes: (code) => sh(`echo ${code} > /run/order`)
  })
})
