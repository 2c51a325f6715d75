/**
 * One sandbox through its whole life, with the journal and the engine's own listing as witnesses.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { SandboxEvents } from "@sbx/core/SandboxEvent"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Checksum from "@sbx/data/Checksum"
import * as SeededBytes from "@sbx/data/SeededBytes"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import { missingInOrder } from "../../internal/factOrder.ts"
import * as Standing from "../../internal/standing.ts"

/** Says when SIGTERM arrives, then ends with 0: a kill would give 137 and say nothing. */
const command = ["sh", "-c", "trap 'echo caught SIGTERM; exit 0' TERM; echo ready; sleep infinity & wait $!"]

const expectedFacts = [
  "CreateIntended",
  "StartIntended",
  "Created",
  "Started",
  "ExecIntended",
  "ExecStarted",
  "ExecExited",
  "FileUploaded",
  "FileDownloaded",
  "PauseIntended",
  "Paused",
  "ResumeIntended",
  "Resumed",
  "StopIntended",
  "Stopped",
  "RemoveIntended",
  "Removed"
]

const runsACommand = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  const result = yield* sandbox.exec(["sh", "-c", "cat; echo err >&2; exit 7"], { stdin: "in\n" })
  const actual = `${result.exitCode} ${result.stdout.trim()} ${result.stderr.trim()}`
  yield* context.check("exec keeps streams and exit code apart", actual === "7 in err", {
    expected: "7 in err",
    actual
  })
})

const movesFiles = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  const bytes = yield* SeededBytes.bytes(context.seed, 300_000)
  const path = "/workspace/data.bin"
  yield* sandbox.files.write(path, bytes)
  const inside = yield* sandbox.execOk(["sha256sum", path])
  const back = yield* sandbox.files.read(path)
  const expected = Checksum.ofBytes(bytes)
  const seen = inside.stdout.split(" ")[0] ?? ""
  yield* context.check("the uploaded file is intact inside", seen === expected, { expected, actual: seen })
  const returned = Checksum.ofBytes(back)
  yield* context.check("the downloaded file is intact", returned === expected, { expected, actual: returned })
})

const pausesAndResumes = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  const engine = yield* Engine
  yield* sandbox.pause
  const paused = (yield* engine.inspectContainer(sandbox.containerId)).state.paused
  yield* context.check("the engine sees it paused", paused)
  const refused = yield* Effect.flip(sandbox.exec(["true"]))
  yield* context.check("a paused sandbox refuses an exec", refused._tag === "SandboxNotRunning", {
    expected: "SandboxNotRunning",
    actual: refused._tag
  })
  yield* sandbox.resume
  yield* sandbox.execOk(["true"])
})

const stops = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  const stopped = yield* sandbox.stop({ grace: "2 seconds" })
  const log = yield* sandbox.logs().pipe(
    Stream.map((frame) => frame.bytes),
    Stream.decodeText,
    Stream.mkString
  )
  yield* context.evidence("stopMillis", stopped.durationMillis)
  yield* context.check("SIGTERM was seen inside", log.includes("caught SIGTERM"), {
    expected: "caught SIGTERM",
    actual: log.slice(-200)
  })
  yield* context.check("the stop was graceful", stopped.graceful && stopped.exitCode === 0, {
    expected: "exit code 0 before the grace time",
    actual: `exit code ${stopped.exitCode}${stopped.graceful ? "" : ", killed"}`
  })
  yield* context.budget("it stopped in under 2 s", stopped.durationMillis < 2000, {
    expected: "< 2000 ms",
    actual: `${stopped.durationMillis} ms`
  })
})

const lookAt = (sandbox: Sandbox) =>
  Effect.flatMap(Journal, (journal) =>
    Standing.look(SandboxEvents.stream(sandbox.id), SandboxLabels.volumeName(journal.id, sandbox.id))
  )

/** The control of {@link leavesNothing}. A workspace in memory has no image, so its absence says nothing then. */
const stands = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  const images = sandbox.spec.workspace.kind === "disk" ? 1 : 0
  const { holds, facts } = Standing.compare(yield* lookAt(sandbox), { containers: 1, volumes: 1, images })
  yield* context.evidence("workspace", sandbox.spec.workspace.kind)
  yield* context.check("the same look finds its container, volume and image while it lives", holds, facts)
})

const leavesNothing = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  yield* sandbox.remove
  const { holds, facts } = Standing.compare(yield* lookAt(sandbox), Standing.nothing)
  yield* context.check("nothing is left in the engine or on its host", holds, facts)
})

const recordsEverything = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const context = yield* Scenario.ScenarioContext
  const journal = yield* Journal
  const facts = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(sandbox.id)))
  const tags = facts.map((fact) => fact.payload._tag)
  yield* context.evidence("facts", tags)
  const missing = missingInOrder(expectedFacts, tags)
  yield* context.check("every fact is on record, in order", missing.length === 0, {
    expected: expectedFacts.join(" "),
    actual: `missing or out of order: ${missing.join(" ")}`
  })
  yield* context.check(
    "versions are contiguous from 1",
    facts.every((fact, index) => fact.version === index + 1)
  )
})

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const images = yield* Images
  const image = yield* images.reference("tiny")
  const sandbox = yield* step("create", sandboxes.make({ image, command }))
  yield* stands(sandbox)
  yield* step("run a command", runsACommand(sandbox))
  yield* step("move files both ways", movesFiles(sandbox))
  yield* step("pause and resume", pausesAndResumes(sandbox))
  yield* step("stop", stops(sandbox))
  yield* step("remove", leavesNothing(sandbox))
  yield* step("replay", recordsEverything(sandbox))
})

export const lifecycle = Scenario.make(
  "orchestration/lifecycle",
  {
    description: "create, exec, files both ways, pause, resume, stop, remove; nothing is left",
    tags: ["smoke"],
    images: ["tiny"]
  },
  program
)
