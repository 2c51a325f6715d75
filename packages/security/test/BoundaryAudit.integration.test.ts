/** The audit on a real engine: hardened holds with power, each weakening is reported by the right checks, nothing is left. */
import { assert, layer } from "@effect/vitest"
import { containerSpec } from "@sbx/core/HardenedProfile"
import { makeId } from "@sbx/core/SandboxId"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import { Engine, type EngineShape } from "@sbx/engine/Engine"
import * as Journal from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { matrix, scorecard, summary, verdict, withVerdict } from "../src/AuditReport.ts"
import * as BoundaryAudit from "../src/BoundaryAudit.ts"
import { boundaryCheck, boundaryChecks, checksOf } from "../src/BoundaryChecks.ts"
import { family } from "../src/BoundaryEvent.ts"
import { read } from "../src/Controls.ts"
import { vehicles } from "../src/ProbeVehicle.ts"
import { weakeningNames, weakenings } from "../src/Weakening.ts"
import { baseImage, engineLayer, tinyImage } from "./support/engine.ts"
import { lyingVehicle } from "./support/lyingVehicle.ts"
import { controlsOf, hardenedFor, running, testLabel } from "./support/subject.ts"

const owner = { run: "run_test", journalPath: "/nowhere/journal.sqlite", owner: "nobody" }
const all = BoundaryAudit.layerJournaled(owner).pipe(Layer.provideMerge(Layer.mergeAll(engineLayer, Memory.layer)))
const audits = BoundaryAudit.BoundaryAudit

/** Checks that may find nothing to ask on some kernel or engine, and say so. */
const optional = new Set([
  "KRN-MODULE",
  "NS-USER",
  "KRN-IOURING",
  "KRN-SOCKFAM",
  "KRN-UFFD",
  "KRN-KEYRING",
  "RES-OOMKILL"
])

layer(all, { excludeTestServices: true, timeout: "2 minutes" })("an audit", (it) => {
  it.effect("holds every check with power on the hardened sandbox, and measures how long that takes", () =>
    Effect.gen(function* () {
      const { expected, sandbox, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const labels = { "sbx-test-owner": "baseline" }
      const report = yield* (yield* audits).auditWithControls(target, {
        expected,
        sandbox,
        allowDangerous: true,
        labels
      })
      const { Breached, Held, NotApplicable, NotRun } = scorecard(report.findings)
      assert.deepStrictEqual([Breached, NotRun], [0, 0], summary(report))
      assert.isAtLeast(Held, 50)
      assert.strictEqual(Held + NotApplicable, boundaryChecks.length)
      for (const { checkId } of withVerdict(report, "NotApplicable")) assert.isTrue(optional.has(checkId), checkId)
      for (const finding of withVerdict(report, "Held")) assert.isDefined(finding.control, finding.checkId)
      assert.strictEqual(verdict(report)._tag, "pass")
      // A budget is judged where nothing else runs; here it is only reported.
      assert.isAbove(report.durationMillis, 0)
      assert.deepStrictEqual(yield* controlsOf("baseline"), [])
      // Power is kept for the engine, kernel and image: a second audit needs no weakened sandbox.
      const again = yield* (yield* audits).audit(target, { expected })
      assert.deepStrictEqual(scorecard(again.findings), scorecard(report.findings))
      yield* Effect.logInfo(
        `${Held} held by ${report.controls.length} controls in ${report.durationMillis} ms, again in ${again.durationMillis} ms`
      )
    }).pipe(Effect.scoped)
  )

  it.effect("reports every weakening by the checks that name it", () =>
    Effect.gen(function* () {
      const { expected, sandbox, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const report = yield* (yield* audits).auditWithControls(target, {
        expected,
        sandbox,
        weakenings: weakeningNames,
        allowDangerous: true,
        labels: { "sbx-test-owner": "matrix" }
      })
      const breached = matrix(report.controls)
      assert.deepStrictEqual(
        report.controls.flatMap(({ outcome, weakening }) => (outcome._tag === "Ran" ? [] : [weakening])),
        []
      )
      for (const name of weakeningNames)
        for (const { id } of checksOf(name)) if (!optional.has(id)) assert.include(breached.get(name) ?? [], id, name)
      yield* Effect.logInfo([...breached].map(([name, ids]) => `${name}: ${ids.join(" ")}`).join("\n"))
      assert.deepStrictEqual(yield* controlsOf("matrix"), [])
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["privileged", "SYS-RO"],
    ["hostPid", "NS-PID"],
    ["writableRoot", "FS-ROOT-RO"],
    ["noMemoryLimit", "RES-MEM"],
    ["seccompUnconfined", "KRN-SECCOMP-EFFECT"],
    ["hostBind", "FS-HOSTMOUNT"],
    ["bridgeNetwork", "NET-EGRESS-TCP"]
  ] as const)("fails a subject weakened by %s through %s", ([name, id]) =>
    Effect.gen(function* () {
      const { expected, spec } = yield* hardenedFor(yield* baseImage)
      const engine = yield* Engine
      const weaker = weakenings[name].apply(spec, {
        engineAddress: engine.endpoint.address,
        cgroupVersion: (yield* engine.info).cgroupVersion
      })
      assert.isDefined(weaker)
      if (weaker === undefined) return
      const report = yield* (yield* audits).audit(yield* running(weaker), { expected })
      assert.include(
        withVerdict(report, "Breached").map(({ checkId }) => checkId),
        id
      )
      assert.strictEqual(verdict(report)._tag, "fail")
    }).pipe(Effect.scoped)
  )
})

const fresh = BoundaryAudit.layer.pipe(Layer.provideMerge(engineLayer))

layer(fresh, { excludeTestServices: true, timeout: "2 minutes" })("without power", (it) => {
  it.effect("nothing is held by an audit that ran no control", () =>
    Effect.gen(function* () {
      const { expected, spec } = yield* hardenedFor(yield* baseImage)
      const report = yield* (yield* audits).audit(yield* running(spec), { expected })
      assert.strictEqual(scorecard(report.findings).Held, 0)
      assert.strictEqual(verdict(report)._tag, "unknown")
      assert.isAtLeast(report.findings.filter(({ observed }) => observed._tag === "Held").length, 50)
    }).pipe(Effect.scoped)
  )

  it.effect("nothing is held where weakened sandboxes are not allowed, and none is made", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const made: Array<string> = []
      const foreign: EngineShape = {
        ...engine,
        endpoint: { ...engine.endpoint, kind: "explicit" },
        createContainer: (spec) =>
          Effect.andThen(
            Effect.sync(() => made.push(spec.name)),
            engine.createContainer(spec)
          )
      }
      const { expected, sandbox, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const report = yield* Effect.flatMap(audits, (audit) =>
        audit.auditWithControls(target, { expected, sandbox })
      ).pipe(Effect.provide(Layer.fresh(BoundaryAudit.layer).pipe(Layer.provide(Layer.succeed(Engine, foreign)))))
      assert.deepStrictEqual(made, [])
      assert.strictEqual(scorecard(report.findings).Held, 0)
      const [finding] = withVerdict(report, "NotRun")
      assert.match(finding?.verdict._tag === "NotRun" ? finding.verdict.reason : "", /no power: .*private engine only/)
    }).pipe(Effect.scoped)
  )

  it.effect("a vehicle that refuses everything is not believed", () =>
    Effect.gen(function* () {
      const { expected, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const report = yield* (yield* audits).audit(target, { expected, vehicles: [lyingVehicle("denies-everything")] })
      assert.deepStrictEqual(report.vehicles, {})
      for (const { checkId, layer: of, observed } of report.findings)
        if (of !== "posture") assert.strictEqual(observed._tag, "NotRun", checkId)
    }).pipe(Effect.scoped)
  )

  it.effect("a vehicle that also knows the calibration is unmasked by the controls", () =>
    Effect.gen(function* () {
      const { expected, sandbox, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const report = yield* (yield* audits).auditWithControls(target, {
        expected,
        sandbox,
        checks: boundaryChecks.filter(({ category }) => category === "limits" || category === "process"),
        vehicles: [lyingVehicle("knows-calibration")],
        allowDangerous: true
      })
      const lied = report.findings.filter(({ layer: of }) => of !== "posture")
      assert.isAbove(lied.filter(({ observed }) => observed._tag === "Held").length, 8)
      for (const { checkId, verdict: said } of lied) assert.strictEqual(said._tag, "NotRun", checkId)
    }).pipe(Effect.scoped)
  )

  it.effect("a shell holds what /proc shows and leaves system calls open", () =>
    Effect.gen(function* () {
      const { sandbox, spec } = yield* hardenedFor(yield* tinyImage)
      const target = yield* running(spec)
      const checks = ["NS-PID", "FS-ROOT-RO", "PROC-RO", "RES-PIDS", "KRN-AIO"].flatMap((id) => boundaryCheck(id) ?? [])
      const report = yield* (yield* audits).auditWithControls(target, {
        sandbox,
        checks,
        allowDangerous: true
      })
      assert.deepStrictEqual(report.vehicles, { user: "sh", root: "sh" })
      assert.deepStrictEqual(
        report.findings.map(({ checkId, verdict: said }) => `${checkId} ${said._tag}`),
        ["KRN-AIO NotRun", "FS-ROOT-RO Held", "PROC-RO Held", "NS-PID Held", "RES-PIDS Held"].toSorted(
          (a, b) => checks.findIndex((c) => a.startsWith(c.id)) - checks.findIndex((c) => b.startsWith(c.id))
        ),
        summary(report)
      )
    }).pipe(Effect.scoped)
  )
})

layer(all, { excludeTestServices: true, timeout: "2 minutes" })("any container", (it) => {
  it.effect("that nobody hardened is reported for what it is", () =>
    Effect.gen(function* () {
      const target = yield* running({ name: "", image: yield* baseImage, entrypoint: ["sleep", "infinity"] })
      const report = yield* (yield* audits).audit(target)
      const ids = withVerdict(report, "Breached").map(({ checkId }) => checkId)
      for (const id of ["ID-NONROOT", "ID-NNP", "CAP-BOUNDING", "FS-ROOT-RO", "RES-MEM", "NET-IFACES", "POS-LOG"])
        assert.include(ids, id)
    }).pipe(Effect.scoped)
  )

  it.effect("that keeps its workspace on a volume is held to the same", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const info = yield* engine.info
      const { expected, sandbox } = yield* hardenedFor(yield* baseImage)
      const uid = 65533
      const volume = yield* Effect.acquireRelease(
        engine.createVolume({
          name: (yield* makeId("ws")).replace("_", "-"),
          labels: { [testLabel]: "1" },
          driverOptions: { type: "tmpfs", device: "tmpfs", o: `size=1m,nr_inodes=64,uid=${uid},nosuid,nodev` }
        }),
        ({ name }) => Effect.orDie(engine.removeVolume(name))
      )
      const context = { name: "", labels: {}, uid, volume: volume.name, cgroupVersion: info.cgroupVersion }
      const report = yield* (yield* audits).audit(yield* running(containerSpec(sandbox, context)), { expected })
      const other = report.findings.filter(
        ({ observed }) => observed._tag !== "Held" && observed._tag !== "NotApplicable"
      )
      assert.deepStrictEqual(other, [])
    }).pipe(Effect.scoped)
  )

  it.effect("reads the same through perl, python3 and the shell", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const info = yield* engine.info
      const { spec } = yield* hardenedFor(yield* baseImage)
      const { containerId } = yield* running(spec)
      const runs = yield* Effect.forEach(vehicles, (vehicle) =>
        read({ checks: boundaryChecks, engine, info, vehicles: [vehicle] }, containerId)
      )
      const [perl, ...others] = runs
      const volatile = /getpid|\/proc\/self\/status|list \/proc$/
      for (const other of others)
        for (const [key, answer] of other.evidence.answers)
          if (answer._tag !== "Unanswered" && !volatile.test(key))
            assert.deepStrictEqual(answer, perl?.evidence.answers.get(key), `${key} by ${other.vehicles["user"]}`)
      assert.deepStrictEqual(
        runs.map((run) => run.vehicles["root"]),
        ["perl", "python3", "sh"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("leaves no weakened sandbox when its audit is interrupted", () =>
    Effect.gen(function* () {
      const { sandbox, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const labels = { "sbx-test-owner": "interrupted" }
      const fiber = yield* Effect.forkChild(
        (yield* audits).auditWithControls(target, { sandbox, weakenings: weakeningNames, allowDangerous: true, labels })
      )
      const some = Effect.repeat(controlsOf("interrupted"), {
        until: (list) => list.length > 0,
        schedule: Schedule.spaced("20 millis")
      })
      const [control] = yield* Effect.timeout(some, "20 seconds")
      // Should the process be killed here instead, a reaper finds it by these.
      const ours = SandboxLabels.decode(control?.labels ?? {})
      assert.match(Option.isSome(ours) ? ours.value.stream : "", /^security\/aud_/)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* controlsOf("interrupted"), [])
      const journal = yield* Journal.Journal
      const events = yield* Stream.runCollect(family.replay(journal))
      const last = [...events].at(-1)
      assert.strictEqual(last?.type, "AuditAborted")
      assert.strictEqual(last?.closes, true)
    }).pipe(Effect.scoped)
  )

  it.effect("has its audit told by the journal, in order, in a stream that is closed", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.Journal
      const { expected, sandbox, spec } = yield* hardenedFor(yield* baseImage)
      const target = yield* running(spec)
      const checks = ["NS-PID", "RES-PIDS"].flatMap((id) => boundaryCheck(id) ?? [])
      const report = yield* (yield* audits).auditWithControls(target, {
        expected,
        sandbox,
        checks,
        concurrency: 1,
        allowDangerous: true
      })
      const events = [...(yield* Stream.runCollect(family.read(journal, family.stream(report.auditId))))]
      assert.deepStrictEqual(
        events.map(({ type }) => type),
        [
          "AuditStarted",
          "ControlIntended",
          "ControlEstablished",
          "ControlIntended",
          "ControlEstablished",
          "CheckJudged",
          "CheckJudged",
          "AuditFinished"
        ]
      )
      const last = events.at(-1)
      assert.strictEqual(last?.closes, true)
      assert.strictEqual(last?.payload._tag === "AuditFinished" ? last.payload.held : -1, 2)
    }).pipe(Effect.scoped)
  )
})
