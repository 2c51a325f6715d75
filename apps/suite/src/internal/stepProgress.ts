/** A long step of the engine or an image as one status: what is done, and how far it is. */
import type { BuildProgress } from "@sbx/engine/ImageBuilder"
import type { EngineProgress } from "@sbx/engine/PrivateEngine"
import type * as Effect from "effect/Effect"
import type { Progress } from "../Progress.ts"

/** `downloading: docker.io (40 %)`. In steps of 5 %, since each is a line where nothing can be redrawn. */
export const sentence = ({ phase, detail, fraction }: EngineProgress | BuildProgress): string => {
  const far = fraction === undefined ? "" : ` (${Math.floor(fraction * 20) * 5} %)`
  return detail.startsWith(phase) ? `${detail}${far}` : `${phase}: ${detail}${far}`
}

/** Reports to the terminal. */
export const report =
  (progress: Progress["Service"]) =>
  (step: EngineProgress | BuildProgress): Effect.Effect<void> =>
    progress.status(sentence(step))
