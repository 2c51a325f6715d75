/** Labels of what is made to find out what an engine can do: it belongs to no stream, only to this process, and is reaped when that is dead. */
import * as Owner from "@sbx/core/Owner"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** `run`: what is shown of it. `journalPath`: absolute, or empty where there is no journal. */
export const probeLabels = Effect.fnUntraced(function* ({
  run,
  journalPath
}: {
  readonly run: string
  readonly journalPath: string
}) {
  return SandboxLabels.encode({
    // Not the journal's id: a reconciler of this process would look for the stream and remove it at once.
    journal: "probe",
    journalPath,
    run,
    stream: "probe/capabilities",
    intent: 1,
    epoch: 1,
    deadline: yield* Clock.currentTimeMillis,
    owner: Owner.toLabel(yield* Owner.current),
    kind: "sidecar"
  })
})
