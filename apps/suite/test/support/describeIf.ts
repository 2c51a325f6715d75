/** Tests that need something of the machine. Where it lacks, one skipped test says what, on the terminal and in the report. */
import { describe, it } from "@effect/vitest"

const leftOut = (name: string, reason: string) => () => {
  it("runs here", (context) => {
    console.warn(`skipped "${name}": ${reason}`)
    context.skip(reason)
  })
}

/** As `describe.runIf`, with the reason why not. */
export const describeIf =
  (holds: boolean, reason: string) =>
  (name: string, body: () => void): void => {
    const tests = holds ? body : leftOut(name, reason)
    describe(name, () => {
      tests()
    })
  }
