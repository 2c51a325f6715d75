/** The ladder of vehicles: what is believed, what is not, and what is said where nothing works. */
import { assert, describe, it } from "@effect/vitest"
import type { EngineShape } from "@sbx/engine/Engine"
import { EngineConflict, InvalidRequest } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { answerOf } from "../src/Evidence.ts"
import { openSocket, readLink, readText, syscall } from "../src/Probe.ts"
import { gather } from "../src/ProbeRun.ts"
import { vehicles } from "../src/ProbeVehicle.ts"
import { posixShell } from "../src/vehicles/PosixShell.ts"
import { inspectWith } from "./support/golden.ts"

type Exec = EngineShape["exec"]

const status = readText("/proc/self/status")
const getpid = syscall("getpid", [])
const close = syscall("close", [-1])
const absent = readLink("/proc/self/sbx-calibration-absent")
const bpf = syscall("bpf", [999, 0, 0])

/** An interpreter that prints what `answer` makes of the nonce; `index` counts the program's probes in its own order. */
const interpreter =
  (name: string, print: (nonce: string) => ReadonlyArray<string>): Exec =>
  (_, spec) =>
    spec.argv[0] === name
      ? Effect.map(Ref.make(""), (script) => ({
          execId: "exec",
          output: Stream.unwrap(
            Effect.map(Ref.get(script), (text) => {
              const nonce = /[0-9a-f]{32}/.exec(text)?.[0] ?? "none"
              const lines = print(nonce).map((line) => `${nonce} ${line}\n`)
              return Stream.make({ channel: "stdout" as const, bytes: new TextEncoder().encode(lines.join("")) })
            })
          ),
          writeStdin: (bytes) => Ref.set(script, new TextDecoder().decode(bytes)),
          endStdin: Effect.void
        }))
      : Effect.fail(
          new InvalidRequest({ operation: "exec", reason: "command-not-found", detail: `${spec.argv[0]} is not there` })
        )

const run = (exec: Exec) => gather({ exec }, "c", { architecture: "x86_64", inspect: inspectWith({}), probes: [bpf] })

/** Order of a program: calibration (status, getpid, close, absent), then bpf for the user. */
const honest = ["0 t Name:\tperl", "0 t Pid:\t7", "0 end all", "1 ok 7", "2 no 9", "3 no 2"]
const truthful = (nonce: string) => {
  void nonce
  return [...honest, "4 no 1", "- done 5"]
}

describe("gather", () => {
  it.effect("believes a vehicle that passes its calibration", () =>
    Effect.gen(function* () {
      const { evidence, vehicles: used } = yield* run(interpreter("perl", truthful))
      assert.strictEqual(used["user"], "perl")
      assert.deepStrictEqual(answerOf(evidence, bpf), { _tag: "Refused", errno: 1 })
    })
  )

  it.effect.each([
    ["refuses everything", ["0 no 1", "1 no 1", "2 no 1", "3 no 1", "4 no 1", "- done 5"]],
    ["lets everything succeed", ["0 end all", "1 ok 0", "2 ok 0", "3 ok 0", "4 ok 0", "- done 5"]],
    ["invents a pid", ["0 t Pid:\t8", "0 end all", ...honest.slice(3), "4 no 1", "- done 5"]],
    ["closes nothing with success", [...honest.slice(0, 4), "2 ok 0", "3 no 2", "4 no 1", "- done 5"]],
    ["reads a link that is not there", [...honest.slice(0, 5), "3 t x", "3 end all", "4 no 1", "- done 5"]],
    ["stops in the middle", [...honest, "4 no 1"]],
    ["skips a probe and says so", [...honest, "- done 4"]]
  ] as const)("does not believe one that %s", ([, lines]) =>
    Effect.gen(function* () {
      const { evidence, refused, vehicles: used } = yield* run(interpreter("perl", () => lines))
      assert.isUndefined(used["user"])
      assert.strictEqual(answerOf(evidence, bpf)._tag, "Unanswered")
      assert.strictEqual(refused.filter((one) => one.startsWith("user")).length, vehicles.length)
    })
  )

  it.effect("goes down to the next vehicle when one is missing, and names what it cannot carry", () =>
    Effect.gen(function* () {
      const exec = interpreter("sh", () => ["0 t Pid:\t7", "0 end all", "3 msg No such file", "- done 2"])
      const { evidence, refused, vehicles: used } = yield* run(exec)
      assert.strictEqual(used["user"], "sh")
      assert.match(refused.join("\n"), /user perl: did not run \(the engine: command-not-found\)/)
      const answer = answerOf(evidence, bpf)
      assert.strictEqual(
        answer._tag === "Unanswered" ? answer.reason : "",
        "sh: a shell cannot make system calls or sockets"
      )
    })
  )

  it.effect("gives up on an interpreter that does not end", () =>
    Effect.gen(function* () {
      const hanging: Exec = () =>
        Effect.succeed({ execId: "exec", output: Stream.never, writeStdin: () => Effect.void, endStdin: Effect.void })
      const fiber = yield* Effect.forkChild(run(hanging))
      yield* TestClock.adjust("31 seconds")
      const { evidence } = yield* Fiber.join(fiber)
      assert.strictEqual(answerOf(evidence, bpf)._tag, "Unanswered")
    })
  )

  it.effect("fails when the container does not run", () =>
    Effect.gen(function* () {
      const stopped: Exec = () =>
        Effect.fail(new EngineConflict({ operation: "exec", id: "c", reason: "not-running", detail: "it is stopped" }))
      const error = yield* Effect.flip(run(stopped))
      assert.strictEqual(error._tag, "EngineConflict")
    })
  )
})

describe("vehicles", () => {
  const program = {
    nonce: "0".repeat(32),
    architecture: "aarch64" as const,
    hostPid: 99,
    probes: [bpf, status, absent]
  }

  it("name system calls by the architecture's numbers", () => {
    for (const vehicle of vehicles.filter(({ name }) => name !== "sh")) {
      assert.match(vehicle.script(program), /\b280, 999, 0, 0\b/)
      assert.match(vehicle.script({ ...program, architecture: "x86_64" }), /\b321, 999, 0, 0\b/)
    }
  })

  it("refuse system calls where the numbers are not known", () => {
    for (const vehicle of vehicles) assert.isDefined(vehicle.refusal(getpid, { ...program, architecture: undefined }))
  })

  it("keep a path with quotes as one word", () => {
    const path = `/tmp/a' ; touch "/tmp/b`
    const script = posixShell.script({ ...program, probes: [readText(path)] })
    assert.include(script, String.raw`readtext 0 '/tmp/a'\'' ; touch "/tmp/b'`)
  })

  it("say which probes the shell cannot carry", () => {
    for (const probe of [close, openSocket(2, 1, 0)]) assert.isDefined(posixShell.refusal(probe, program))
    assert.isUndefined(posixShell.refusal(status, program))
  })
})
