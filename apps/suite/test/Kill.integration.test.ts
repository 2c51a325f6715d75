// @effect-diagnostics processEnv:off globalTimers:off -- kills real processes at drawn moments; rounds and seed come from outside
import { existsSync, readdirSync } from "node:fs"
import * as path from "node:path"
import { assert, it, onTestFinished } from "@effect/vitest"
import { keys } from "@sbx/core/SandboxLabels"
import { directory, type Place, run, start, type Started } from "./support/commandLine.ts"
import { describeIf } from "./support/describeIf.ts"
import * as Machine from "./support/machineView.ts"
import { env, foreignTo, hanging, objectsWith, scenario, watchForeign } from "./support/realEngine.ts"

const rounds = Number(process.env["SBX_TEST_KILL_ROUNDS"] ?? 3)
const seed = Number(process.env["SBX_TEST_KILL_SEED"] ?? 20_260_101)
/** A warm smoke run, from its start to the end of its audit. */
const spreadMillis = 24_000

/** Mulberry32: 0 to 1, the same for the same seed and round. */
const drawn = (round: number): number => {
  let t = (seed + (round + 1) * 0x6d2b79f5) | 0
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** One moment in each of as many equal parts: bootstrap, creations, faults and the audit all get their share. */
const delays = Array.from({ length: rounds }, (_, round) =>
  Math.round(((round + drawn(round)) / rounds) * spreadMillis)
)

/** The production state folder, so that the engine is sbx's own and the audit runs. */
const placeAt = (cwd: string): Place => ({ cwd, env: { ...env(), SBX_STATE_DIR: Machine.stateFolder }, group: true })
const isOf = (cwd: string) => (labels: Readonly<Record<string, string>>) =>
  (labels[keys.journalPath] ?? "").startsWith(`${cwd}/`)

const killGroup = async ({ child, ended }: Started): Promise<number> => {
  assert.isDefined(child.pid)
  // Without it, the run had ended before.
  if (child.exitCode === null) process.kill(-child.pid, "SIGKILL")
  await ended
  return child.pid
}

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

/** Shims and cgroups end a moment after their container; the target for clean-up is 5 s. */
const untilNothing = async (see: () => Promise<ReadonlyArray<string>>): Promise<ReadonlyArray<string>> => {
  const deadline = performance.now() + 5000
  for (;;) {
    const left = await see()
    if (left.length === 0 || performance.now() > deadline) return left
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

const reapsAll = async (cwd: string, pid: number, beginning: Beginning) => {
  const reaped = await run(["reap", "--json"], placeAt(cwd))
  assert.strictEqual(reaped.code, 0, `${reaped.stdout}${reaped.stderr}`)
  assert.deepStrictEqual(await objectsWith(isOf(cwd)), [], "in the engine")
  assert.deepStrictEqual(Machine.leasesOf(pid), [], "uid leases")
  assert.deepStrictEqual(await untilNothing(() => added(beginning, cwd)), [], "on the machine")
  const again = JSON.parse((await run(["reap", "--dry-run", "--json"], placeAt(cwd))).stdout)
  const mine = again.objects.filter(({ journalPath }: { journalPath: string }) => journalPath.startsWith(`${cwd}/`))
  assert.deepStrictEqual([mine, again.inDoubt], [[], []])
}

describeIf(Machine.visible(), "the engine's daemon cannot be seen from here")(
  "kill -9 of a run's process group",
  () => {
    it(
      `at ${delays.join(", ")} ms (SBX_TEST_KILL_SEED=${seed}) leaves nothing that reap does not remove`,
      async () => {
        let leftBehind = 0
        for (const delay of delays) {
          const cwd = directory()
          const beginning = begin(cwd)
          const started = start(["run", "smoke"], placeAt(cwd))
          await new Promise((resolve) => setTimeout(resolve, delay))
          const pid = await killGroup(started)
          const left = await objectsWith(isOf(cwd))
          leftBehind += left.length
          const runs = path.join(cwd, ".sbx/runs")
          console.info(
            `killed at ${delay} ms: ${left.length} objects, run ${existsSync(runs) ? readdirSync(runs).at(-1) : "none"}`
          )
          await reapsAll(cwd, pid, beginning)
        }
        // Else nothing was killed in the middle of anything, and the comparison showed nothing.
        assert.isAbove(leftBehind, 0)
      },
      120_000 * rounds
    )

    it("with a fault in flight leaves no cgroup of target or sidecar", async () => {
      const cwd = directory()
      const beginning = begin(cwd)
      const fault = `  yield* (yield* FailureInjector).inject(sandbox, cpuStress(), { duration: "50 seconds" })
  yield* context.step("hang", Effect.never)`
      const started = start(["run", scenario(cwd, "hang", fault)], placeAt(cwd))
      await started.says(hanging)
      const during = (await added(beginning, cwd)).filter((line) => line.startsWith("cgroup: "))
      const pid = await killGroup(started)
      // The control: target and sidecar have theirs while the fault is active.
      assert.lengthOf(during, 2)
      await reapsAll(cwd, pid, beginning)
      const left = [...Machine.look()].filter((line) => during.includes(line))
      assert.deepStrictEqual(left, [])
    })
  }
)
