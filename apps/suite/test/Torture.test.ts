import { mkdirSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { any, Journal, streamName } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { drawing } from "../torture/internal/draw.ts"
import * as Evidence from "../torture/internal/evidence.ts"
import * as Remains from "../torture/internal/remains.ts"
import { killEngine, type Outcome, violations } from "../torture/killEngine.ts"
import { killRunner } from "../torture/killRunner.ts"
import { plantNames, simulation } from "../torture/simulation.ts"
import * as Summary from "../torture/summary.ts"
import { judge, tortures } from "../torture/Tortures.ts"
import type { Round } from "../torture/Torture.ts"
import { directory } from "./support/commandLine.ts"
import { commandLine } from "./support/inProcess.ts"

const round = (fields: Partial<Round> = {}): Round => ({
  round: 0,
  what: "killed",
  figures: { objects: 3, networks: 1, sidecars: 1, killed: 1, acknowledged: 9 },
  violations: [],
  ...fields
})

describe("tortures", () => {
  it("fail with the first violation, named by its round", () => {
    const rounds = [round(), round({ round: 7, violations: ["left: container a", "left: volume b"] })]
    assert.deepStrictEqual(judge(rounds, []), { _tag: "fail", reason: "round 7: left: container a" })
    assert.strictEqual(judge([round()], [])._tag, "pass")
  })

  it("say nothing when nothing was ever in flight, or no round ran", () => {
    const idle = [round({ figures: { objects: 0, acknowledged: 0 } })]
    assert.lengthOf(killRunner.conclude(idle), 4)
    const unharmed = round({ round: 4, figures: { ...round().figures, killed: 0 } })
    assert.deepStrictEqual(killRunner.conclude([round(), unharmed]), [
      "the run of round 4 ended by itself before it was killed"
    ])
    const faultless = round({ figures: { objects: 3, networks: 1, sidecars: 0, acknowledged: 9 } })
    assert.deepStrictEqual(killRunner.conclude([faultless]), [
      "no round had a fault's sidecar in flight when it was killed"
    ])
    assert.strictEqual(judge(idle, killRunner.conclude(idle))._tag, "unknown")
    assert.strictEqual(judge([], [])._tag, "unknown")
    assert.deepStrictEqual(killRunner.conclude([round()]), [])
  })

  it("of an engine fail for a run that hangs or dies, for what is left, for a reap that fails and for a lost append", () => {
    const held: Outcome = {
      ended: Option.some({ code: 3, signal: null }),
      log: "output.log",
      unreaped: ["container of a run that failed"],
      reaped: 0,
      left: [],
      evidence: []
    }
    assert.deepStrictEqual(violations(held), [])
    const broken: ReadonlyArray<readonly [Partial<Outcome>, string]> = [
      [{ ended: Option.none() }, "the run hangs 90 s after the engine's death"],
      [{ ended: Option.some({ code: 2, signal: null }) }, "the run ended with 2; see output.log"],
      [{ ended: Option.some({ code: null, signal: "SIGSEGV" }) }, "the run ended with SIGSEGV; see output.log"],
      [{ ended: Option.some({ code: 0, signal: null }) }, "the run says pass and left container of a run that failed"],
      [{ reaped: 3 }, "reap ended with 3"],
      [{ left: ["container a"] }, "left after the engine was back: container a"],
      [{ evidence: ["an acknowledged append is lost: 9 7"] }, "an acknowledged append is lost: 9 7"]
    ]
    for (const [fact, said] of broken) {
      const found = violations({ ...held, ...fact })
      assert.deepStrictEqual(found, [said])
      assert.strictEqual(judge([round({ violations: found })], [])._tag, "fail")
    }
    const idle = [round({ figures: { objects: 0 } })]
    assert.strictEqual(judge(idle, killEngine.conclude(idle))._tag, "unknown")
  })

  it("draw the same moments for the same seed and round, and others for others", () => {
    const take = (seed: number, n: number) => {
      const next = drawing(seed, n)
      return Array.from({ length: 50 }, () => next())
    }
    assert.deepStrictEqual(take(7, 3), take(7, 3))
    assert.notDeepEqual(take(7, 3), take(7, 4))
    assert.notDeepEqual(take(7, 3), take(8, 3))
    for (const value of take(1, 1)) assert.isTrue(value >= 0 && value < 1)
  })

  it.effect("try every planted bug that the simulation knows, unless fewer rounds are asked", () =>
    Effect.gen(function* () {
      const names = yield* plantNames
      assert.isAtLeast(names.length, 6)
      assert.strictEqual(simulation.rounds, names.length + 1)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("name the command that repeats a failed round", () => {
    const text = Summary.round("kill-runner", 42, round({ round: 7, violations: ["left: x"] }), (_, said) => said)
    assert.include(text, "sbx torture kill-runner --seed 42 --from 7 --rounds 1")
  })

  it.live("see what does not go away until the limit, and what does before it", () =>
    Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const stays = yield* Remains.awaitGone(Effect.succeed(["a"]), since, 200)
      assert.deepStrictEqual(stays.left, ["a"])
      assert.isAbove(stays.millis, 200)
      let looks = 0
      const goes = yield* Remains.awaitGone(
        Effect.sync(() => (++looks < 3 ? ["a"] : [])),
        since,
        10_000
      )
      assert.deepStrictEqual([goes.left, looks], [[], 3])
    })
  )
})

describe("sbx torture", () => {
  it.effect("lists them and names the nearest of a mistyped one", () =>
    Effect.gen(function* () {
      const listed = yield* commandLine(["torture", "list"])
      for (const { name } of tortures) assert.include(listed.stdout, name)
      const wrong = yield* commandLine(["torture", "kill-runer"])
      assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
      assert.include(wrong.stderr, "kill-runner")
      assert.strictEqual((yield* commandLine(["torture", "kill-runner", "--rounds", "0"])).code, 2)
    })
  )
})

describe("the evidence of a dead run", () => {
  const runWith = (files: Readonly<Record<string, string>>) => {
    const cwd = directory()
    mkdirSync(path.join(cwd, ".sbx/runs/run_a"), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(cwd, name), text)
    return cwd
  }
  const judged = (cwd: string) => Evidence.judge(cwd).pipe(Effect.provide(NodeServices.layer))
  const journal = ".sbx/runs/run_a/journal.sqlite"

  it.effect("is nothing where it died before its journal had a commit, unless it had acknowledged one", () =>
    Effect.gen(function* () {
      const none = { journalId: undefined, acknowledged: 0, violations: [] }
      assert.deepStrictEqual(yield* judged(runWith({})), none)
      assert.deepStrictEqual(yield* judged(runWith({ [journal]: "" })), none)
      const lost = yield* judged(runWith({ [journal]: "", acks: "1 0\n2 1\n3" }))
      assert.deepStrictEqual(lost.violations, ["2 appends were acknowledged, and there is no journal"])
    })
  )

  it.effect("names each acknowledged append that the journal does not hold", () =>
    Effect.gen(function* () {
      const cwd = runWith({ acks: "1 0\n2 7\n" })
      yield* Effect.gen(function* () {
        const service = yield* Journal
        const event = { type: "Ticked", schemaVersion: 1, payload: { n: 0 } }
        yield* service.append(streamName("torture", "acks"), [event], { expected: any })
      }).pipe(Effect.provide(Sqlite.layer({ path: path.join(cwd, journal) })))
      const { acknowledged, violations } = yield* judged(cwd)
      assert.deepStrictEqual([acknowledged, violations], [2, ["an acknowledged append is lost: 2 7"]])
    })
  )
})
