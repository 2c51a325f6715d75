/** The faults there are, as one union of plain data. A new one is a leaf in `faults/`, a member here and a case in `dispatch`. */
import * as Schema from "effect/Schema"
import type { Control, FaultKind } from "./FaultKind.ts"
import * as CpuStressKind from "./faults/CpuStress.ts"
import * as ProcessKillKind from "./faults/ProcessKill.ts"

export const Fault = Schema.Union([CpuStressKind.CpuStress, ProcessKillKind.ProcessKill])
export type Fault = typeof Fault.Type

export { cpuStress } from "./faults/CpuStress.ts"
export { processKill } from "./faults/ProcessKill.ts"

const encode = Schema.encodeSync(Fault)

/** A fault's parameters as JSON, without its tag. */
export const paramsOf = (fault: Fault): Schema.JsonObject => {
  const { _tag: _, ...params } = encode(fault)
  return params
}

/** Gives a fault together with the operations of its kind to `use`. */
export const dispatch = <A>(
  fault: Fault,
  use: <F extends Fault, C extends Control>(kind: FaultKind<F, C>, fault: F) => A
): A => {
  switch (fault._tag) {
    case "CpuStress":
      return use(CpuStressKind.kind, fault)
    case "ProcessKill":
      return use(ProcessKillKind.kind, fault)
  }
}
