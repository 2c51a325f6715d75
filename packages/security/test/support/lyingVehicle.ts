/**
 * A vehicle that does nothing and claims a hardened sandbox: it prints recorded answers. By its fault it either refuses everything,
 * which calibration catches, or also knows the calibration's answers, which only a control catches.
 */
import type { Answer } from "../../src/Evidence.ts"
import { keyOf } from "../../src/Probe.ts"
import type { ProbeVehicle } from "../../src/ProbeVehicle.ts"
import { golden } from "./golden.ts"

export type Fault = "denies-everything" | "knows-calibration"

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

const printed = (nonce: string, index: number, answer: Answer): ReadonlyArray<string> => {
  const say = (rest: string) => `printf '%s\\n' ${quote(`${nonce} ${index} ${rest}`)}`
  switch (answer._tag) {
    case "Done":
      return [say(`ok ${answer.value}`)]
    case "Refused":
      return [say(`no ${answer.errno}`)]
    case "Text":
      return [...answer.lines.map((line) => say(`t ${line}`)), say("end all")]
    case "Unanswered":
      return []
  }
}

const denied: Answer = { _tag: "Refused", errno: 1 }

export const lyingVehicle = (fault: Fault): ProbeVehicle => ({
  name: `liar that ${fault}`,
  argv: ["sh"],
  env: {},
  refusal: () => undefined,
  script: ({ nonce, probes }) => {
    const lines = probes.flatMap((probe, index) =>
      printed(nonce, index, fault === "denies-everything" ? denied : (golden.hardened.answers[keyOf(probe)] ?? denied))
    )
    return [...lines, `printf '%s\\n' ${quote(`${nonce} - done ${probes.length}`)}`, "exit 0", ""].join("\n")
  }
})
