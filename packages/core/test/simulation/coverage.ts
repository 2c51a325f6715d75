/** What an exploration of core has to meet at least once, or it proves nothing about it. */
import { kinds } from "./faults.ts"

const branches = [
  "kill",
  "sandbox-made",
  "subscriber-complete",
  "job-failed",
  "reaped",
  "settled",
  "undone",
  "foreign",
  "taken-over",
  "CreateFailed",
  "CreateAbandoned",
  "StartFailed",
  "Vanished",
  "RemoveFailed",
  "Died",
  "ExecLost",
  "ExecTimedOut",
  "OrphanReaped",
  "RunInterrupted",
  "DisturbanceCleared"
]

export const sometimes: ReadonlyArray<string> = [...Object.keys(kinds), ...branches]
