/** A long step of the engine or an image as one status: what is done, and how far it is. */
import type { BuildProgress } from "@sbx/engine/ImageBuilder"
import type { EngineProgress } from "@sbx/engine/PrivateEngine"
import * as Effect from "effect/Effect"
import type { Progress } from "../Progress.ts"

/** `downloading 40 %: docker.io`. In steps of 5 %, since each is a line where nothing can be redrawn. */
export const sentence = ({ phase, detail, fraction }: EngineProgress | BuildProgress): string => {
  const far = fraction === undefined ? "" : ` ${Math.floor(fraction * 20) * 5} %`
  return detail.startsWith(phase) ? detail : `${phase}${far}: ${detail}`
}

/** Reports to the terminal. What is being done is named once, then only how far it is. */
export const report = (progress: Progress["Service"]) => {
  let known = ""
  return (step: EngineProgress | BuildProgress): Effect.Effect<void> =>
    Effect.suspend(() => {
      const text = sentence(step)
      const repeats = step.fraction !== undefined && known === step.detail
      known = step.detail
      return progress.status(repeats ? text.slice(0, text.indexOf(":")) : text)
    })
}
