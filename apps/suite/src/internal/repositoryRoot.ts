/** The checkout that this program runs from, as source or as a bundle. */
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Schema from "effect/Schema"

/** The program was taken out of its checkout. */
export class NotACheckout extends Schema.TaggedError<NotACheckout>()("NotACheckout", { from: Schema.String }) {
  override get message() {
    return `Could not find sbx's checkout above ${this.from}.\nRun this command from a clone: ./sbx test.`
  }
}

/** The nearest folder above that holds the workspace and its tooling. */
export const repositoryRoot = Effect.gen(function* () {
  const fs = yield* FileSystem
  const from = path.dirname(fileURLToPath(import.meta.url))
  for (let folder = from; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    if (yield* Effect.orElseSucceed(fs.exists(`${folder}/tooling/src/turbo.ts`), () => false)) return folder
  }
  return yield* new NotACheckout({ from })
})
