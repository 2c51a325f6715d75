// @effect-diagnostics processEnv:off globalTimers:off -- kills real processes at drawn moments; rounds and seed come from outside
import { existsSync } from "node:fs"
import * as path from "node:path"
import { assert, it, onTestFinished } from "@effect/vitest"
import { keys } from "@sbx/core/SandboxLabels"
import { Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import { verify } from "@sbx/journal/Verification"
import * as Effect from "effect/Effect"
import { directory, type Place, run, start } from "./support/commandLine.ts"
import { describeIf } from "./support/describeIf.ts"
import { killed, untilNothing } from "./support/killing.ts"
import * as Machine from "./support/machineView.ts"
import { env, foreignTo, hang, hanging, objectsWith, scenario, watchForeign } from "./support/realEngine.ts"

const rounds = Number(process.env["SBX_TEST_KILL_ROUNDS"] ?? 3)
const seed = Number(process.env["SBX_TEST_KILL_SEED"] ?? 20_260_101)
/** Bootstrap, creations, faults and the audit all at once: what a smoke run does before it measures, for which it would be alone. */
const harmed = ["orchestration/lifecycle", "orchestration/concurrent-creation", "chaos", "security/boundaries"]
/** From its start to the end of its audit such a run takes so many times as long as one sandbox until it is there. */
const spread = 4

/** Mulberry32: 0 to 1, the same for the same seed and round. */
const drawn = (round: number): number => {
  let t = (seed + (round + 1) * 0x6d2b79f5) | 0
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** One moment in each of as many equal parts of a run: bootstrap, creations, faults and the audit all get their share. */
const moments = Array.from({ length: rounds }, (_, round) => ((round + drawn(round)) / rounds) * spread)

/** The production state folder, so that the engine is sbx's own and the audit runs. */
const placeAt = (cwd: string): Place => ({ cwd, env: { ...env(), SBX_STATE_DIR: Machine.stateFolder }, group: true })
const isOf = (cwd: string) => (labels: Readonly<Record<string, string>>) =>
  (labels[keys.journalPath] ?? "").startsWith(`${cwd}/`)

/** The machine before a round, and what others do meanwhile. */
const begin = (cwd: string) => {
  const watch = watchForeign(isOf(cwd))
  onTestFinished(watch.stop)
  return { before: Machine.look(), seen: watch.ids }
}
type Beginning = ReturnType<typeof begin>

/** What is on the machine now and was not before, but for what objects of others stand for. */
const added = async ({ before, seen }: Beginning, cwd: string): Promise<ReadonlyArray<string>> => {
  const now = [...Machine.look()].filter((line) => !before.has(line))
  const foreign = await foreignTo(isOf(cwd))
  const others = [...seen, ...foreign.names, ...foreign.pids.map(Machine.networkOf)].filter((name) => name !== "")
  return now.filter((line) => !others.some((name) => line.includes(name)))
}

/** What the project promises: nothing is left so long after a kill, and nobody had to ask for it. */
const promiseMillis = 5000

/** A create or a fault that was under way may still take effect until its deadline of 10 s, and keeps its stream open so long. */
const settledMillis = 20_000

/** The whole of the machine: shims and cgroups end a moment after their container. */
const clearsItself = async (cwd: string, pid: number, beginning: Beginning) => {
  const { left, afterMillis } = await untilNothing(() => objectsWith(isOf(cwd)), promiseMillis)
  assert.deepStrictEqual(left, [], "in the engine")
  assert.deepStrictEqual((await untilNothing(() => Machine.leasesOf(pid), promiseMillis)).left, [], "uid leases")
  assert.deepStrictEqual((await untilNothing(() => added(beginning, cwd), promiseMillis)).left, [], "on the machine")
  return afterMillis
}

const journalOf = (cwd: string) => path.join(cwd, ".sbx/runs/last/journal.sqlite")

/** Of a run that had come so far as to have one. */
const journalIsWhole = async (cwd: string) => {
  if (!existsSync(journalOf(cwd))) return
  const open = await untilNothing(() => openStreams(journalOf(cwd)), settledMillis)
  assert.deepStrictEqual(open.left, [], "open streams")
  assert.deepInclude(await Effect.runPromise(verify(journalOf(cwd))), { verdict: "intact", problems: [] })
}

const openStreams = (file: string) =>
  Effect.flatMap(Journal, (journal) => journal.streams({ open: true })).pipe(
    Effect.map((streams) => streams.map(({ name }) => name)),
    Effect.provide(Sqlite.layerReader({ path: file })),
    Effect.runPromise
  )

const reapsAll = async (cwd: string, pid: number, beginning: Beginning) => {
  const reaped = await run(["reap", "--json"], placeAt(cwd))
  assert.strictEqual(reaped.code, 0, `${reaped.stdout}${reaped.stderr}`)
  assert.deepStrictEqual(await objectsWith(isOf(cwd)), [], "in the engine")
  assert.deepStrictEqual(Machine.leasesOf(pid), [], "uid leases")
  assert.deepStrictEqual((await untilNothing(() => added(beginning, cwd), promiseMillis)).left, [], "on the machine")
  const again = JSON.parse((await run(["reap", "--dry-run", "--json"], placeAt(cwd))).stdout)
  const mine = again.objects.filter(({ journalPath }: { journalPath: string }) => journalPath.startsWith(`${cwd}/`))
  assert.deepStrictEqual([mine, again.inDoubt], [[], []])
}

/** Four more sandboxes, a network and a fault, and then it hangs. */
const busy = `  const more = yield* Effect.forEach([1, 2, 3, 4], () => Effect.flatMap(Sandboxes, ({ make }) => make({ image: sandbox.spec.image })), { concurrency: 4 })
  const { labels } = yield* sandbox.inspect
  yield* (yield* Engine).createNetwork({ name: more[0].name + "-net", internal: true, labels: { ...labels, "sbx.kind": "network" } })
  yield* (yield* FailureInjector).inject(sandbox, cpuStress(), { duration: "50 seconds" })
  yield* context.step("hang", Effect.never)`

const startBusy = async (cwd: string) => {
  const started = start(["run", scenario(cwd, "hang", busy)], placeAt(cwd))
  await started.says(hanging)
  // The control: five containers, their volumes, the sidecar and the network are there.
  assert.lengthOf(await objectsWith(isOf(cwd)), 12)
  return started
}

/** A run that lives through all of it. */
const neighbour = async () => {
  const cwd = directory()
  const started = start(["run", scenario(cwd, "hang", hang)], placeAt(cwd))
  const startedAt = performance.now()
  await started.says(hanging)
  const readyMillis = performance.now() - startedAt
  const had = await objectsWith(isOf(cwd))
  return {
    /** How fast the machine is today. */
    readyMillis,
    isUnharmed: async () => {
      assert.lengthOf(had, 2)
      assert.sameMembers([...(await objectsWith(isOf(cwd)))], [...had])
      started.child.kill("SIGINT")
      const ended = await started.ended
      assert.strictEqual(ended.code, 130, ended.stderr)
      assert.deepStrictEqual(await objectsWith(isOf(cwd)), [])
    }
  }
}

describeIf(Machine.visible(), "the engine's daemon cannot be seen from here")("kill -9 of a run", () => {
  it(
    `at ${rounds} moments of it (SBX_TEST_KILL_SEED=${seed}) leaves nothing, with no further command`,
    async () => {
      const beside = await neighbour()
      let leftBehind = 0
      for (const [round, moment] of moments.entries()) {
        const delay = Math.round(moment * beside.readyMillis)
        const cwd = directory()
        const beginning = begin(cwd)
        const started = start(["run", ...harmed], placeAt(cwd))
        await new Promise((resolve) => setTimeout(resolve, delay))
        const kill = round % 2 === 0 ? "group" : "alone"
        const pid = await killed[kill](started)
        const left = await objectsWith(isOf(cwd))
        leftBehind += left.length
        const took = await clearsItself(cwd, pid, beginning)
        await journalIsWhole(cwd)
        console.info(`killed (${kill}) at ${delay} ms: ${left.length} objects, gone ${took} ms later`)
      }
      // Else nothing was killed in the middle of anything, and the comparison showed nothing.
      assert.isAbove(leftBehind, 0)
      await beside.isUnharmed()
    },
    120_000 * rounds
  )

  it("with sandboxes, a network and a fault in flight leaves no cgroup of target or sidecar either", async () => {
    const cwd = directory()
    const beginning = begin(cwd)
    const started = await startBusy(cwd)
    const during = (await added(beginning, cwd)).filter((line) => line.startsWith("cgroup: "))
    assert.lengthOf(during, 6)
    const pid = await killed.group(started)
    const took = await clearsItself(cwd, pid, beginning)
    console.info(`killed with 12 objects: gone ${took} ms later`)
    await journalIsWhole(cwd)
  })

  it("and of its watchdog leaves what reap removes", async () => {
    const cwd = directory()
    const beginning = begin(cwd)
    const pid = await killed.withWatchdog(await startBusy(cwd))
    assert.lengthOf(await objectsWith(isOf(cwd)), 12)
    await reapsAll(cwd, pid, beginning)
    await journalIsWhole(cwd)
  })
})
