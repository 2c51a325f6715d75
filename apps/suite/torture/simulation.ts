/**
 * Histories of core on a simulated engine, journal and machine: a minute of seeds with every kind of fault must hold every invariant,
 * and each planted bug must be found within 100 seeds. Round 0 is the minute, each later round one plant. Runs core's own explorer.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { spawn } from "node:child_process"
import { repositoryRoot } from "../src/internal/repositoryRoot.ts"
import { failing } from "./internal/failing.ts"
import { type Round, type RoundOptions, type Torture, TortureFailed } from "./Torture.ts"

const name = "sim"
const seconds = 60
/** Within which a planted bug must show. */
const plantSeeds = 100

/** The explorer's own report; what is not named here is not needed. */
const Report = Schema.fromJsonString(
  Schema.Struct({
    from: Schema.Int,
    seeds: Schema.Int,
    runsPerSeed: Schema.Int,
    steps: Schema.Int,
    virtualMillis: Schema.Finite,
    histories: Schema.Record(Schema.String, Schema.Int),
    violations: Schema.Array(
      Schema.Struct({ seed: Schema.Int, violations: Schema.Array(Schema.String), replay: Schema.String })
    ),
    unreached: Schema.Array(Schema.String)
  })
)

/** Standard output of the explorer; its exit code 1 says that it found something, which is an answer. */
const explore = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const root = yield* repositoryRoot
  const explorer = `${root}/packages/core/test/simulation/main.ts`
  const { code, stdout, stderr } = yield* Effect.callback<{ code: number | null; stdout: string; stderr: string }>(
    (resume) => {
      const child = spawn(process.execPath, ["--conditions=@sbx/source", explorer, ...args])
      const said = { stdout: "", stderr: "" }
      child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
      child.once("error", (cause) => resume(Effect.succeed({ code: -1, stdout: "", stderr: cause.message })))
      child.once("close", (ended) => resume(Effect.succeed({ code: ended, ...said })))
      return Effect.sync(() => void child.kill("SIGKILL"))
    }
  )
  if (code === 0 || code === 1) return stdout.trim()
  return yield* new TortureFailed({ torture: name, detail: stderr.trim() || `the explorer ended with ${code}` })
})

const report = (args: ReadonlyArray<string>) =>
  Effect.flatMap(explore([...args, "--json"]), (text) => Schema.decodeEffect(Report)(text))

/** Seeds of a minute: no invariant is violated, and nothing that was declared stayed untried. */
const minute = Effect.fnUntraced(function* ({ round, seed }: RoundOptions) {
  const found = yield* report(["--seconds", String(seconds), "--seed", String(seed)])
  const kinds = Object.entries(found.histories).map(([kind, count]) => `${kind} ${count}`)
  const hours = (found.virtualMillis / 3_600_000).toFixed(1)
  return {
    round,
    what: `${found.seeds} seeds from ${found.from}, ${found.runsPerSeed} × each, ${hours} h of virtual time; histories with ${kinds.join(", ")}`,
    figures: { seeds: found.seeds, steps: found.steps },
    violations: [
      ...found.violations.flatMap((one) => one.violations.map((text) => `seed ${one.seed}: ${text} (${one.replay})`)),
      ...found.unreached.map((kind) => `never reached: ${kind}`)
    ]
  } satisfies Round
})

const planted = Effect.fnUntraced(function* (plant: string, { round, seed }: RoundOptions) {
  const found = yield* report(["--plant", plant, "--seeds", String(plantSeeds), "--seed", String(seed)])
  const first = found.violations[0]
  return {
    round,
    what: `planted "${plant}": ${first === undefined ? "not found" : `found by seed ${first.seed}: ${first.violations[0] ?? ""}`}`,
    figures: first === undefined ? {} : { plantFoundAfter: first.seed - seed + 1 },
    violations: first === undefined ? [`${plantSeeds} seeds from ${seed} do not show the planted bug`] : []
  } satisfies Round
})

/** Names of the planted bugs, as the explorer knows them. */
export const plantNames = Effect.map(explore(["--plants"]), (text) => text.split("\n"))

const prepare = Effect.gen(function* () {
  const plants = yield* plantNames
  const harm = (options: RoundOptions) => {
    const plant = plants[options.round - 1]
    if (options.round === 0) return minute(options).pipe(failing(name))
    return plant === undefined
      ? Effect.fail(new TortureFailed({ torture: name, detail: `there are rounds 0 to ${plants.length}` }))
      : planted(plant, options).pipe(failing(name))
  }
  return { harm, settle: Effect.succeed([]) }
}).pipe(failing(name))

export const simulation: Torture = {
  name,
  description: `${seconds} s of simulated histories, then each planted bug`,
  rounds: 11,
  prepare,
  conclude: () => []
}
