/** `sbx doctor`: what this machine's engine can do, found out by doing it, each with one piece of advice. */
import { Engine } from "@sbx/engine/Engine"
import * as EngineCapabilities from "@sbx/engine/EngineCapabilities"
import * as Verdict from "@sbx/core/Verdict"
import { ImageBuilder } from "@sbx/engine/ImageBuilder"
import { Located } from "@sbx/engine/Located"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Command } from "effect/cli"
import * as Composition from "../Composition.ts"
import { ExitStatus } from "../ExitStatus.ts"
import { install, json } from "../internal/flags.ts"
import { probeLabels } from "../internal/probeLabels.ts"
import { recipeOf } from "../internal/recipeOf.ts"
import { report } from "../internal/stepProgress.ts"
import { Output } from "../Output.ts"
import { Progress } from "../Progress.ts"

const Diagnosis = Schema.Struct({
  kind: Schema.String,
  endpoint: Schema.String,
  version: Schema.String,
  /** Where the engine was looked for, in order. */
  tries: Schema.Array(Schema.Struct({ what: Schema.String, why: Schema.String })),
  capabilities: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      verdict: Schema.Literals(["pass", "fail", "unknown"]),
      required: Schema.Boolean,
      found: Schema.String,
      advice: Schema.String
    })
  )
})
type Diagnosis = typeof Diagnosis.Type

const colours = { pass: "green", fail: "red", unknown: "yellow" } as const

const lines = (diagnosis: Diagnosis, paint: Output["Service"]["paint"]): string =>
  [
    `${diagnosis.kind} engine at ${diagnosis.endpoint}, version ${diagnosis.version}`,
    ...diagnosis.capabilities.flatMap(({ name, verdict, required, found, advice }) => [
      `${paint(colours[verdict], verdict.padEnd(7))} ${name}${required ? "" : " (optional)"}: ${found}`,
      ...(verdict === "pass" ? [] : [`        ${advice}`])
    ])
  ].join("\n")

const diagnose = Effect.fnUntraced(function* (mayInstall: boolean) {
  const progress = yield* Progress
  const located = yield* Located
  const builder = yield* ImageBuilder
  const { version } = yield* (yield* Engine).info
  const { reference } = yield* builder.ensure(yield* recipeOf("tiny"), {
    install: mayInstall,
    onProgress: report(progress)
  })
  const labels = yield* probeLabels({ run: "doctor", journalPath: "" })
  yield* progress.status("trying what the engine can do")
  const capabilities = yield* EngineCapabilities.detect({ image: reference, labels })
  yield* progress.status("")
  const { kind, address: endpoint, tries } = located
  return { kind, endpoint, version, tries, capabilities } satisfies Diagnosis
})

/** Fails only for what no sandbox can do without; the others narrow what is offered. */
const verdict = (capabilities: Diagnosis["capabilities"]): Verdict.Verdict =>
  Verdict.mergeAll(
    capabilities
      .filter(({ required }) => required)
      .map(({ verdict, name, found }) => {
        if (verdict === "pass") return Verdict.pass
        return verdict === "fail" ? Verdict.fail(`${name}: ${found}`) : Verdict.unknown(`${name}: ${found}`)
      })
  )

export const doctor = Command.make(
  "doctor",
  { json, install },
  Effect.fnUntraced(function* (input) {
    yield* (yield* Progress).status("looking for a container engine")
    const diagnosis = yield* diagnose(input.install).pipe(
      Effect.provide(Composition.engine({ install: input.install }))
    )
    const output = yield* Output
    if (input.json) yield* output.json(Diagnosis, diagnosis)
    else yield* output.print(lines(diagnosis, output.paint))
    yield* (yield* ExitStatus).set(Verdict.exitCode(verdict(diagnosis.capabilities)))
  })
).pipe(Command.withDescription("Find out what this machine's engine can do"))
