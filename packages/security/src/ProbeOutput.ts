/**
 * Reads what a vehicle printed. Total: any text gives answers, and whatever is missing, doubled or malformed is `Unanswered`.
 * Lines count only with the run's nonce, so other output of the container cannot be mistaken for a reading.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Errno from "./Errno.ts"
import type { Answer } from "./Evidence.ts"

const Index = Schema.FiniteFromString.pipe(Schema.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)))
const Errno_ = Schema.FiniteFromString.pipe(
  Schema.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 4095 }))
)

/** One line of the protocol after its nonce: `<index> t <line>`, `<index> end all|cut`, `<index> ok <value>`, `<index> no <errno>`, `<index> msg <text>`. */
const ProbeLine = Schema.Union([
  Schema.Tuple([Index, Schema.Literal("t"), Schema.String]),
  Schema.Tuple([Index, Schema.Literal("end"), Schema.Literals(["all", "cut"])]),
  Schema.Tuple([Index, Schema.Literal("ok"), Schema.FiniteFromString]),
  Schema.Tuple([Index, Schema.Literal("no"), Errno_]),
  Schema.Tuple([Index, Schema.Literal("msg"), Schema.String]),
  Schema.Tuple([Schema.Literal("-"), Schema.Literal("done"), Index])
])
type ProbeLine = typeof ProbeLine.Type

const decodeLine = Schema.decodeUnknownOption(ProbeLine)

export interface ProbeOutput {
  /** By the probe's index in the program. */
  readonly answers: ReadonlyMap<number, Answer>
  /** The script reached its end and said how many probes it ran. */
  readonly finished: number | undefined
}

const split = (text: string, nonce: string): ReadonlyArray<ProbeLine> =>
  text.split("\n").flatMap((raw) => {
    if (!raw.startsWith(`${nonce} `)) return []
    const [, index, tag, rest] = /^(\S+) (\S+) ?(.*)$/s.exec(raw.slice(nonce.length + 1)) ?? []
    return Option.toArray(decodeLine([index, tag, rest]))
  })

const ofMessage = (message: string): Answer => {
  const errno = Errno.ofText(message)
  return errno === undefined
    ? { _tag: "Unanswered", reason: `said "${message.slice(0, 200)}"` }
    : { _tag: "Refused", errno }
}

const isOf = (index: number) => (line: ProbeLine) => line[0] === index

const answer = (lines: ReadonlyArray<ProbeLine>): Answer => {
  const verdicts = lines.filter((line) => line[1] !== "t")
  const [verdict] = verdicts
  if (verdict === undefined || verdicts.length !== 1)
    return { _tag: "Unanswered", reason: verdict === undefined ? "was cut off" : "was answered twice" }
  switch (verdict[1]) {
    case "ok":
      return { _tag: "Done", value: verdict[2] }
    case "no":
      return { _tag: "Refused", errno: verdict[2] }
    case "msg":
      return ofMessage(verdict[2])
    case "end":
      return {
        _tag: "Text",
        lines: lines.flatMap((line) => (line[1] === "t" ? [line[2]] : [])),
        complete: verdict[2] === "all"
      }
    default:
      return { _tag: "Unanswered", reason: "was answered out of turn" }
  }
}

/** Every answer in a vehicle's standard output. Probes without any line are absent from `answers`. */
export const parse = (stdout: string, nonce: string): ProbeOutput => {
  const lines = split(stdout, nonce)
  const indices = new Set(lines.flatMap((line) => (line[0] === "-" ? [] : [line[0]])))
  const done = lines.filter((line) => line[1] === "done")
  return {
    answers: new Map([...indices].map((index) => [index, answer(lines.filter(isOf(index)))] as const)),
    finished: done.length === 1 && typeof done[0]?.[2] === "number" ? done[0][2] : undefined
  }
}
