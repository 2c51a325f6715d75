/**
 * How core reaches the journals of other processes, which it knows by their paths only: as SQLite files, unless told otherwise.
 * A simulation keeps them elsewhere.
 */
import type { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

export interface JournalFiles {
  /** Takes the journal over under a new epoch. Fails with `JournalLocked` while another process writes it. */
  readonly layerWriter: (
    path: string
  ) => Layer.Layer<Journal, Sqlite.JournalLocked | Sqlite.JournalFormatUnsupported | JournalUnavailable>
  readonly layerReader: (path: string) => Layer.Layer<Journal, Sqlite.JournalFormatUnsupported | JournalUnavailable>
  /** Whether a process writes it now; a hint, which only opening settles. */
  readonly isLocked: (path: string) => Effect.Effect<boolean, JournalUnavailable>
}

export const JournalFiles: Context.Reference<JournalFiles> = Context.Reference<JournalFiles>("@sbx/core/JournalFiles", {
  defaultValue: () => ({
    layerWriter: (path) => Sqlite.layer({ path }),
    layerReader: (path) => Sqlite.layerReader({ path }),
    isLocked: Sqlite.isLocked
  })
})
