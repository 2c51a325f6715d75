/** A directory of the test's own. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as os from "node:os"

export const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(`${os.tmpdir()}/sbx-samples-`)),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true }))
)
