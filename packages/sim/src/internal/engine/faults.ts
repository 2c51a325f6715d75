/** Decides whether a fault fires and counts it. One draw for each opportunity that a rule covers, none otherwise. */
import type { FaultBook, FaultKind, FaultRule } from "../../SimFault.ts"

/** What a draw needs of `effect/Random`. */
export interface Draw {
  nextDoubleUnsafe(): number
}

export interface Fired {
  /** Milliseconds that the fault adds; absent where neither the rule nor the kind has bounds. */
  readonly millis: number | undefined
}

export interface Faults extends FaultBook {
  /** `operation` is the call's, or the event's action. */
  readonly fires: (kind: FaultKind, operation: string) => Fired | undefined
}

const defaultMillis: Partial<Record<FaultKind, readonly [number, number]>> = {
  latency: [1, 1_000],
  slow: [100, 10_000],
  "late-exit-code": [1, 500],
  "engine-restart": [0, 5_000]
}

const zero = (): Record<FaultKind, number> => ({
  latency: 0,
  slow: 0,
  refusal: 0,
  "transport-failure": 0,
  "lost-reply": 0,
  "late-effect": 0,
  "late-exit-code": 0,
  "duplicate-event": 0,
  "missed-event": 0,
  "cut-events": 0,
  "engine-restart": 0
})

/** A whole number of milliseconds within the bounds, both included. */
export const between = (draw: Draw, [shortest, longest]: readonly [number, number]) =>
  longest <= shortest ? shortest : shortest + Math.floor(draw.nextDoubleUnsafe() * (longest - shortest + 1))

export const make = (draw: Draw): Faults => {
  const rules = new Map<FaultKind, FaultRule & { left: number }>()
  const counts = zero()
  return {
    set: (kind, rule) => void rules.set(kind, { ...rule, left: rule.times ?? Number.POSITIVE_INFINITY }),
    clear: (kind) => void rules.delete(kind),
    clearAll: () => rules.clear(),
    counts: () => ({ ...counts }),
    fires: (kind, operation) => {
      const rule = rules.get(kind)
      if (rule === undefined || rule.left <= 0) return undefined
      if (rule.operations !== undefined && !rule.operations.includes(operation)) return undefined
      const rate = rule.rate ?? 1
      if (rate < 1 && draw.nextDoubleUnsafe() >= rate) return undefined
      rule.left -= 1
      counts[kind] += 1
      const bounds = rule.millis ?? defaultMillis[kind]
      return { millis: bounds && between(draw, bounds) }
    }
  }
}
