/** The simulated engine as a subject of the model: its main process says that it is ready, and ends when a file tells it to. */
import { Effect } from "effect"
import * as SimEngine from "../../src/SimEngine.ts"
import { named, type SimBody } from "../../src/SimProgram.ts"
import { contractPrograms, simulatedPrograms } from "./contractPrograms.ts"
import type { Subject } from "./engineDriver.ts"

const order = "/run/crash"

const main: SimBody = (process) =>
  Effect.gen(function* () {
    if (process.argv[1] === "polite") process.onSignal("TERM", { exitCode: 42 })
    yield* process.out("ready\n")
    for (;;) {
      const code = process.files.read(order)
      if (code !== undefined) return Number(Buffer.from(code).toString())
      yield* process.sleep("20 millis")
    }
  })

const programs = [
  named("model-main", main),
  named("model-crash", ({ argv, files }) =>
    Effect.sync(() => (files.write(order, argv[1] ?? "") === undefined ? 0 : 1))
  ),
  ...simulatedPrograms
]

export const simSubject = (run: string, options: Pick<SimEngine.SimEngineOptions, "wireMillis" | "workMillis"> = {}) =>
  Effect.map(
    SimEngine.make({ ...options, programs, images: [{ reference: "sim:model", files: { "/run": null } }] }),
    ({ engine }): Subject => ({
      engine,
      image: "sim:model",
      run,
      main: (which) => (which === "missing" ? ["/nope"] : ["model-main", which]),
      exits: contractPrograms.exits,
      crashes: (code) => ["model-crash", String(code)]
    })
  )
