/** Benchmarks for people: one block each, figures first, then the targets with their verdicts. */
import type * as Verdict from "@sbx/core/Verdict"
import type { Paint } from "../src/internal/screen.ts"
import type { Benchmark, Figures, Result, Series, Target } from "./Benchmark.ts"
import type { Report } from "./Benches.ts"

const colours = { pass: "green", fail: "red", unknown: "yellow" } as const

const figure = (value: number): string => (value >= 1000 ? Math.round(value).toLocaleString("en") : String(value))

const line = ({ of, what, unit, figures }: Series): string =>
  `  ${of.padEnd(14)} p50 ${figure(figures.p50)} ${unit}, ${spread(figures)}  n=${figures.n}  (${what})`

const spread = ({ p95, p99, mean, stddev }: Figures): string =>
  `p95 ${figure(p95)}, p99 ${figure(p99)}, mean ${figure(mean)} ± ${figure(stddev)}`

const judged = (target: Target, paint: Paint): string => {
  const { what, measured, relation, limit, verdict } = target
  const why = verdict._tag === "unknown" ? `: ${verdict.reason}` : ""
  return `  ${paint(colours[verdict._tag], verdict._tag.padEnd(7))} ${what}: ${measured} (${relation} ${limit})${why}`
}

export const result = ({ name, description, series, targets, notes }: Result, paint: Paint): string =>
  [
    `${name}: ${description}`,
    ...series.map(line),
    ...targets.map((target) => judged(target, paint)),
    ...notes.map((note) => `  ${note}`)
  ].join("\n")

export const closing = (machine: Report["machine"], verdict: Verdict.Verdict, paint: Paint): string => {
  const { cpus, cpu, kernel, node, engine, storageDriver } = machine
  const facts = `${cpus} × ${cpu}, Linux ${kernel}, Node ${node}, engine ${engine}, ${storageDriver}`
  return `${facts}\n${paint(colours[verdict._tag], verdict._tag)}${verdict._tag === "pass" ? "" : `: ${verdict.reason}`}`
}

export const list = (benchmarks: ReadonlyArray<Benchmark>): string =>
  benchmarks.map(({ name, description }) => `${name.padEnd(20)} ${description}`).join("\n")
