import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Journal } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Environment from "../src/Environment.ts"
import * as Expect from "../src/Expect.ts"
import * as MachineLock from "../src/MachineLock.ts"
import { type RunEvent, RunEvents } from "../src/RunEvent.ts"
import * as RunReport from "../src/RunReport.ts"
import * as Scenario from "../src/Scenario.ts"
import * as ScenarioRunner from "../src/ScenarioRunner.ts"

class EngineGone extends Schema.TaggedError<EngineGone>()("EngineGone", {}) {
  override get message() {
    return "no engine"
  }
}

const scenario = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  options: Partial<Scenario.ScenarioOptions> = {}
) => silent(name, Effect.andThen(effect, ended), options)

/** A judgement, which a scenario needs to pass. */
const ended = Effect.flatMap(Scenario.ScenarioContext, ({ check }) => check("it came to its end", true))

/** One that judges only what it says. */
const silent = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  options: Partial<Scenario.ScenarioOptions> = {}
) => Scenario.make(name, { description: name, ...options }, effect)

const layers = (settings: Partial<Environment.Settings> = {}) =>
  Layer.mergeAll(Memory.layer, Environment.layerWith(settings), MachineLock.layerMemory, NodeFileSystem.layer)

const options = Effect.gen(function* () {
  const fs = yield* FileSystem
  return { runId: "run_a", seed: "7", directory: yield* fs.makeTempDirectoryScoped() }
})

const run = (
  scenarios: ReadonlyArray<Scenario.Scenario>,
  more: Partial<ScenarioRunner.RunOptions> = {},
  settings: Partial<Environment.Settings> = {}
) =>
  Effect.gen(function* () {
    const report = yield* ScenarioRunner.run(scenarios, { ...(yield* options), ...more })
    return { report, events: yield* journalled("run_a") }
  }).pipe(Effect.scoped, Effect.provide(layers(settings)))

const journalled = (runId: string) =>
  Effect.gen(function* () {
    const recorded = yield* Stream.runCollect(RunEvents.read(yield* Journal, RunEvents.stream(runId)))
    return recorded.flatMap(({ payload }): ReadonlyArray<RunEvent> =>
      payload._tag === "UnknownEvent" ? [] : [payload]
    )
  })

const verdictOf = (report: RunReport.RunReport, name: string) =>
  report.scenarios.find((one) => one.name === name)?.verdict

const context = Effect.service(Scenario.ScenarioContext)

describe("a run", () => {
  it.live("records every step, and its report is the fold of the journal", () =>
    Effect.gen(function* () {
      const { report, events } = yield* run([
        silent(
          "a/one",
          Effect.gen(function* () {
            const { step, evidence, check } = yield* context
            const three = yield* step("add", Effect.succeed(1 + 2))
            yield* evidence("sum", three)
            assert.isTrue(yield* check("sum", three === 3))
          })
        )
      ])
      assert.deepStrictEqual(
        events.map((event) => event._tag),
        [
          "RunStarted",
          "ScenarioScheduled",
          "ScenarioStarted",
          "StepStarted",
          "StepFinished",
          "EvidenceRecorded",
          "FindingRecorded",
          "ScenarioFinished",
          "RunFinished"
        ]
      )
      assert.deepStrictEqual(RunReport.fromEvents(events), report)
      assert.deepStrictEqual(report.verdict, { _tag: "pass" })
      assert.deepStrictEqual(report.scenarios[0]?.evidence, { sum: 3 })
      assert.strictEqual(report.scenarios[0]?.steps[0]?.outcome, "ok")
      const Json = Schema.fromJsonString(RunReport.RunReport)
      const json = yield* Schema.encodeEffect(Json)(report)
      assert.deepStrictEqual(yield* Schema.decodeEffect(Json)(json), report)
    })
  )

  it.live("maps how a scenario ended to its verdict", () =>
    Effect.gen(function* () {
      const { report } = yield* run([
        scenario("v/pass", Effect.void),
        scenario("v/expectation", Expect.equals("x", 1, 2)),
        scenario("v/cannot", new EngineGone()),
        scenario("v/named", new EngineGone(), { failures: ["EngineGone"] }),
        scenario("v/defect", Effect.die(new Error("bug"))),
        scenario("v/undecidable", new Expect.Undecidable({ what: "it", detail: "no tool" })),
        scenario("v/interrupt", Effect.interrupt),
        scenario(
          "v/finding",
          Effect.flatMap(context, ({ check }) => check("it holds", false))
        ),
        scenario(
          "v/unknown",
          Effect.flatMap(context, ({ unknown }) => unknown("no cgroup"))
        )
      ])
      const tags = Object.fromEntries(report.scenarios.map((one) => [one.name.slice(2), one.verdict._tag]))
      assert.deepStrictEqual(tags, {
        pass: "pass",
        expectation: "fail",
        cannot: "unknown",
        named: "fail",
        defect: "fail",
        undecidable: "unknown",
        interrupt: "unknown",
        finding: "fail",
        unknown: "unknown"
      })
      assert.strictEqual(report.verdict._tag, "fail")
    })
  )

  it.live("does not pass a scenario that judged nothing", () =>
    Effect.gen(function* () {
      const noted = Effect.flatMap(context, ({ step, evidence }) => step("look", evidence("seen", 1)))
      const { report } = yield* run([silent("n/nothing", Effect.void), silent("n/noted", noted)])
      for (const { verdict } of report.scenarios) {
        assert.deepStrictEqual(verdict, { _tag: "unknown", reason: "nothing was judged" })
      }
      assert.strictEqual(report.verdict._tag, "unknown")
    })
  )

  it.live("interrupts a scenario at its timeout and releases what it held", () =>
    Effect.gen(function* () {
      let released = false
      const hangs = Effect.acquireRelease(Effect.void, () => Effect.sync(() => void (released = true))).pipe(
        Effect.andThen(Effect.flatMap(context, ({ step }) => step("hang", Effect.never)))
      )
      const { report } = yield* run([scenario("t/hangs", hangs, { timeout: "50 millis" })])
      assert.isTrue(released)
      assert.deepInclude(verdictOf(report, "t/hangs"), { _tag: "fail" })
      assert.strictEqual(report.scenarios[0]?.steps[0]?.outcome, "interrupted")
    })
  )

  it.live("takes the environment's timeout for a scenario that names none", () =>
    Effect.gen(function* () {
      const { report } = yield* run([scenario("t/hangs", Effect.never)], {}, { defaultTimeout: Duration.millis(20) })
      assert.include(report.scenarios[0]?.reason, "still running after 20 ms")
    })
  )

  it.live("leaves out long and chaos scenarios when told to, with the reason", () =>
    Effect.gen(function* () {
      const all = [
        scenario("soak/long", Effect.void, { long: true }),
        scenario("chaos/cpu", Effect.void),
        scenario("monitor/m", Effect.void),
        scenario("smoke/x", Effect.void)
      ]
      const open = yield* run(all)
      assert.deepStrictEqual(
        open.report.scenarios.map((one) => one.status),
        ["finished", "finished", "finished", "finished"]
      )
      const { report, events } = yield* run(
        all,
        {},
        { skipLongRunningTests: true, enableChaosTesting: false, enableMetrics: false }
      )
      assert.deepStrictEqual(
        report.scenarios.map((one) => one.status),
        ["skipped", "skipped", "skipped", "finished"]
      )
      assert.include(report.scenarios[0]?.reason, "SKIP_LONG_RUNNING_TESTS")
      assert.include(report.scenarios[1]?.reason, "ENABLE_CHAOS_TESTING")
      assert.strictEqual(report.scenarios[2]?.reason, "ENABLE_RESOURCE_MONITORING is false")
      assert.deepStrictEqual(verdictOf(report, "monitor/m"), {
        _tag: "unknown",
        reason: "skipped: ENABLE_RESOURCE_MONITORING is false"
      })
      assert.strictEqual(report.verdict._tag, "pass")
      assert.strictEqual(events.filter((event) => event._tag === "ScenarioSkipped").length, 3)
    })
  )

  it.live("that skips everything is unknown", () =>
    Effect.gen(function* () {
      const { report } = yield* run([scenario("chaos/x", Effect.void)], {}, { enableChaosTesting: false })
      assert.strictEqual(report.verdict._tag, "unknown")
    })
  )

  it.live("does not judge what it cannot run", () =>
    Effect.gen(function* () {
      const { report } = yield* run(
        [scenario("n/needs", Effect.void, { needs: ["loop"] }), scenario("n/danger", Effect.void, { dangerous: true })],
        { missing: (need) => (need === "loop" ? "no loop devices" : undefined) }
      )
      assert.deepStrictEqual(verdictOf(report, "n/needs"), {
        _tag: "unknown",
        reason: "it needs loop: no loop devices"
      })
      assert.strictEqual(verdictOf(report, "n/danger")?._tag, "unknown")
      const allowed = yield* run([scenario("n/danger", Effect.void, { dangerous: true })], { allowDangerous: true })
      assert.strictEqual(allowed.report.verdict._tag, "pass")
    })
  )

  it.live("takes nothing for evidence from an engine that went away, and stops", () =>
    Effect.gen(function* () {
      const { report } = yield* run(
        [scenario("e/first", Expect.equals("x", 1, 2)), scenario("e/second", Effect.void)],
        { probe: new EngineGone(), concurrency: 1 }
      )
      for (const name of ["e/first", "e/second"]) {
        const verdict = verdictOf(report, name)
        assert.strictEqual(verdict?._tag, "unknown")
        if (verdict?._tag === "unknown") assert.include(verdict.reason, "the engine went away: no engine")
      }
    })
  )

  it.live("keeps the scratch directory of a scenario that did not pass only when told to", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem
      const writes = Effect.gen(function* () {
        const { directory, artefact } = yield* context
        yield* (yield* FileSystem).writeFileString(`${directory}/left`, "x")
        yield* artefact("log.txt", "evidence")
        yield* Expect.equals("x", 1, 2)
      }).pipe(Effect.provide(NodeFileSystem.layer))
      const directory = yield* fs.makeTempDirectoryScoped()
      const kept = yield* run([scenario("k/x", writes)], { directory }, { cleanupOnFailure: false })
      const [one] = kept.report.scenarios
      assert.strictEqual(one?.kept, `${directory}/scratch/k/x`)
      assert.isTrue(yield* fs.exists(`${directory}/scratch/k/x/left`))
      const cleaned = yield* run([scenario("k/x", writes)], { directory })
      assert.isUndefined(cleaned.report.scenarios[0]?.kept)
      assert.isFalse(yield* fs.exists(`${directory}/scratch/k/x`))
      assert.deepStrictEqual(one?.artefacts, [`${directory}/artefacts/k/x/log.txt`])
      assert.strictEqual(yield* fs.readFileString(`${directory}/artefacts/k/x/log.txt`), "evidence")
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.live("is unknown where its directory cannot be written", () =>
    Effect.gen(function* () {
      const file = yield* (yield* FileSystem).makeTempFileScoped()
      const { report } = yield* run([scenario("d/x", Effect.void)], { directory: file })
      assert.strictEqual(report.verdict._tag, "unknown")
      assert.include(report.scenarios[0]?.reason, file)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.live("replays random choices from its seed", () =>
    Effect.gen(function* () {
      const draws = Effect.gen(function* () {
        const { evidence } = yield* context
        yield* evidence("n", yield* Random.nextInt)
      })
      const draw = (seed: string) =>
        Effect.map(run([scenario("r/x", draws)], { seed }), ({ report }) => report.scenarios[0]?.evidence["n"])
      assert.strictEqual(yield* draw("1"), yield* draw("1"))
      assert.notStrictEqual(yield* draw("1"), yield* draw("2"))
    })
  )

  it.live("runs ordinary scenarios together, within its concurrency, and exclusive ones alone and last", () =>
    Effect.gen(function* () {
      let alive = 0
      let peak = 0
      const order: Array<string> = []
      const counted = (name: string, exclusive = false) =>
        scenario(
          name,
          Effect.gen(function* () {
            alive++
            peak = Math.max(peak, alive)
            if (exclusive) assert.strictEqual(alive, 1)
            order.push(name)
            yield* Effect.sleep("20 millis")
            alive--
          }),
          { exclusive }
        )
      const { report } = yield* run(
        [counted("c/x", true), counted("c/a"), counted("c/b"), counted("c/c"), counted("c/y", true)],
        { concurrency: 2 }
      )
      assert.strictEqual(report.verdict._tag, "pass")
      assert.strictEqual(peak, 2)
      assert.deepStrictEqual(order.slice(3), ["c/x", "c/y"])
    })
  )

  it.live("that is interrupted releases, records it, and its report is read from the journal", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      let released = false
      const hangs = Effect.acquireRelease(Deferred.succeed(started, undefined), () =>
        Effect.sync(() => void (released = true))
      ).pipe(Effect.andThen(Effect.never))
      const all = [scenario("i/done", Effect.void), scenario("i/hangs", hangs, { timeout: "1 minute" })]
      const fiber = yield* Effect.forkChild(ScenarioRunner.run(all, { ...(yield* options), concurrency: 1 }))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(released)
      const report = RunReport.fromEvents(yield* journalled("run_a"))
      assert.isTrue(report.interrupted)
      assert.strictEqual(report.verdict._tag, "unknown")
      assert.strictEqual(verdictOf(report, "i/done")?._tag, "pass")
      assert.strictEqual(report.scenarios[1]?.status, "unfinished")
    }).pipe(Effect.scoped, Effect.provide(layers()))
  )

  it.live("whose journal is lost is unknown and starts nothing more", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      let appends = 0
      const failing = Journal.of({
        ...journal,
        append: (...args) => (++appends > 3 ? journal.close(RunEvents.stream("absent")) : journal.append(...args))
      })
      let ran = 0
      const counted = (name: string) =>
        scenario(
          name,
          Effect.sync(() => void ran++)
        )
      const report = yield* ScenarioRunner.run([counted("j/a"), counted("j/b")], {
        ...(yield* options),
        concurrency: 1
      }).pipe(Effect.provideService(Journal, failing))
      assert.strictEqual(report.verdict._tag, "unknown")
      assert.strictEqual(ran, 1)
    }).pipe(Effect.scoped, Effect.provide(layers()))
  )

  it.live("refuses two scenarios of one name", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(run([scenario("x/y", Effect.void), scenario("x/y", Effect.void)]))
      assert.strictEqual(exit._tag, "Failure")
    })
  )
})

describe("a scenario", () => {
  it("has a category and a slug", () => {
    assert.strictEqual(scenario("chaos/cpu-stress", Effect.void).category, "chaos")
    for (const name of ["x", "X/y", "a/b/c", "a/", "/b", "a/b_c"]) assert.throws(() => scenario(name, Effect.void))
  })
})
