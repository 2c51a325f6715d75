/** What belongs to a handle but not to its users: the context that other parts of core act on. */
import type { Journal } from "@sbx/journal/Journal"
import type { Sandbox } from "../SandboxHandle.ts"
import type { Remains } from "../SandboxRemoval.ts"
import type { SandboxContext } from "./execStart.ts"
import type { Midwife } from "./sandboxBirth.ts"

export interface Internals {
  readonly context: SandboxContext
  readonly journal: Journal["Service"]
  /** What a replacement of the container is made with. */
  readonly midwife: Midwife
  readonly remains: Remains
}

const known = new WeakMap<Sandbox, Internals>()

export const remember = (sandbox: Sandbox, internals: Internals): Sandbox => {
  known.set(sandbox, internals)
  return sandbox
}

/** Absent for a handle that `Sandboxes` did not make, such as a copy or a test's own. */
export const internalsOf = (sandbox: Sandbox): Internals | undefined => known.get(sandbox)
