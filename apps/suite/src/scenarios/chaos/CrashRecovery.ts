/**
 * The main process dies by a signal from outside the engine's API; the supervisor brings the sandbox back with its workspace. The time
 * to recover is the engine's: from `State.FinishedAt` to the new `State.StartedAt`.
 */
import { processKill } from "@sbx/chaos/Fault"
import { FailureInjector } from "@sbx/chaos/FailureInjector"
import { SandboxEvents } from "@sbx/core/SandboxEvent"
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import { supervise, type Supervised } from "@sbx/core/Supervisor"
import * as Checksum from "@sbx/data/Checksum"
import * as SeededBytes from "@sbx/data/SeededBytes"
import { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import { missingInOrder } from "../../internal/factOrder.ts"

/** The user's target, milliseconds. */
const budgetMillis = 10_000
const path = "/workspace/kept.bin"
const expectedFacts = [
  "Started",
  "Died",
  "FailureClassified",
  "RecoveryDecided",
  "RecoveryAttempted",
  "Started",
  "Recovered"
]

/** SIGKILL by its number, not any text with a nine in it. */
export const tellsOfKill = (reason: string): boolean => /\bsignal 9\b/.test(reason)

const firstRecovery = (supervised: Supervised) =>
  supervised.changes.pipe(
    Stream.map(({ recoveries }) => Option.fromUndefinedOr(recoveries[0])),
    Stream.filter(Option.isSome),
    Stream.runHead,
    Effect.map(Option.flatten)
  )

const recordsEverything = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { check } = yield* Scenario.ScenarioContext
  const journal = yield* Journal
  const facts = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(sandbox.id)))
  const tags = facts.map((fact) => fact.payload._tag)
  const missing = missingInOrder(expectedFacts, tags)
  yield* check("death, class, decision, attempt and recovery are on record, in order", missing.length === 0, {
    expected: expectedFacts.join(" "),
    actual: tags.join(" ")
  })
})

const program = Effect.gen(function* () {
  const { check, evidence, seed, step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const injector = yield* FailureInjector
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step("create", sandboxes.make({ image }))
  const bytes = yield* SeededBytes.bytes(seed, 100_000)
  yield* sandbox.files.write(path, bytes)
  const supervised = yield* supervise(sandbox)
  const handle = yield* step("kill the main process", injector.inject(sandbox, processKill()))
  yield* evidence("proof", [...(yield* handle.awaitEnd).evidence])
  const recovery = yield* step("recover", Effect.flatMap(firstRecovery(supervised), Effect.fromOption))
  yield* evidence("downMillis", recovery.downMillis)
  yield* check("the death is told as a signal", tellsOfKill(recovery.reason), {
    expected: "a reason that names signal 9",
    actual: recovery.reason
  })
  yield* check(
    `it was back in under ${budgetMillis} ms`,
    recovery.downMillis > 0 && recovery.downMillis < budgetMillis,
    {
      expected: `0 to ${budgetMillis} ms`,
      actual: `${recovery.downMillis} ms`
    }
  )
  const expected = Checksum.ofBytes(bytes)
  const seen = (yield* sandbox.execOk(["sha256sum", path])).stdout.split(" ")[0] ?? ""
  yield* check("the workspace is intact", seen === expected, { expected, actual: seen })
  yield* step("replay", recordsEverything(sandbox))
})

export const crashRecovery = Scenario.make(
  "chaos/crash-recovery",
  {
    description:
      "main process killed from outside the engine's API, detected, recovered in under 10 s, workspace intact",
    tags: ["smoke"],
    images: ["tiny"],
    timeout: "60 seconds"
  },
  program
)
