/** What belongs to a handle, or to the service, but not to its users: what other parts of core act on. */
import type { Engine } from "@sbx/engine/Engine"
import type { Journal } from "@sbx/journal/Journal"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { MakeError, Sandboxes } from "../Sandboxes.ts"
import type { Sandbox } from "../SandboxHandle.ts"
import type { SandboxOptions } from "../SandboxOptions.ts"
import type { Remains } from "../SandboxRemoval.ts"
import type { SandboxSpec } from "../SandboxSpec.ts"
import type { SandboxContext } from "./execStart.ts"
import type { Admission, Ticket } from "./sandboxAdmission.ts"
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

/** What a pool needs beyond `make`. */
export interface Nursery {
  readonly admission: Admission
  readonly atLimit: "wait" | "fail"
  readonly engine: Engine["Service"]
  readonly journalId: string
  /** Of the engine. */
  readonly cores: number
  readonly resolve: (options: SandboxOptions) => Effect.Effect<SandboxSpec, MakeError>
  readonly make: (
    spec: SandboxSpec,
    request: Effect.Effect<Ticket | undefined>
  ) => Effect.Effect<Sandbox, MakeError, Scope.Scope>
}

const nurseries = new WeakMap<Sandboxes["Service"], Nursery>()

export const rememberNursery = (service: Sandboxes["Service"], nursery: Nursery): Sandboxes["Service"] => {
  nurseries.set(service, nursery)
  return service
}

/** Absent for a service that `Sandboxes.layerWith` did not make. */
export const nurseryOf = (service: Sandboxes["Service"]): Nursery | undefined => nurseries.get(service)
