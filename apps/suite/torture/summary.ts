/** Tortures for people: a line a round, a violation with the command that repeats it, and the figures of all rounds. */
import { summarise } from "../src/internal/figures.ts"
import type { Paint } from "../src/internal/screen.ts"
import type { Round, Torture } from "./Torture.ts"
import type { Report } from "./Tortures.ts"

export const round = (torture: string, seed: number, one: Round, paint: Paint): string => {
  const held = one.violations.length === 0
  return [
    `${paint(held ? "green" : "red", held ? "pass" : "fail")}  round ${one.round}: ${one.what}`,
    ...one.violations.slice(0, 10).map((violation) => `      ${violation}`),
    ...(held ? [] : [`      again: sbx torture ${torture} --seed ${seed} --from ${one.round} --rounds 1`])
  ].join("\n")
}

/** p50, p95 and the most of each figure over the rounds. */
const figures = (rounds: ReadonlyArray<Round>): ReadonlyArray<string> => {
  const names = [...new Set(rounds.flatMap((one) => Object.keys(one.figures)))]
  return names.map((name) => {
    const { n, p50, p95, max } = summarise(rounds.flatMap((one) => one.figures[name] ?? []))
    return `${name}: p50 ${p50}, p95 ${p95}, max ${max} (n=${n})`
  })
}

export const closing = (report: Report, paint: Paint): string => {
  const { torture, seed, asked, rounds, later, lacking, verdict } = report
  const failed = rounds.filter(({ violations }) => violations.length > 0).length
  const colour = { pass: "green", fail: "red", unknown: "yellow" } as const
  return [
    ...figures(rounds),
    ...later.map((what) => `after the last round: ${what}`),
    ...lacking.map((what) => `lacking: ${what}`),
    `${torture}, seed ${seed}: ${rounds.length} of ${asked} rounds, ${rounds.length - failed} passed, ${failed} failed`,
    paint(colour[verdict._tag], verdict._tag)
  ].join("\n")
}

export const list = (tortures: ReadonlyArray<Torture>): string =>
  tortures.map(({ name, description, rounds }) => `${name.padEnd(14)} ${description} (${rounds} rounds)`).join("\n")
