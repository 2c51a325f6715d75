/**
 * The facts of one audit, in the journal's category `security`, stream `security/<audit id>`; the last event closes the stream.
 * Evidence is kept as it was judged; nothing here is computed later.
 */
import * as EventFamily from "@sbx/journal/EventFamily"
import * as Schema from "effect/Schema"
import { Category, Severity } from "./BoundaryCheck.ts"
import { CheckVerdict } from "./CheckVerdict.ts"

export const category = "security"

/** Every event says when its fact was learnt, milliseconds since the epoch. */
const at = { atMillis: Schema.Finite }

export const BoundaryEvent = Schema.TaggedUnion({
  AuditStarted: {
    ...at,
    containerId: Schema.String,
    name: Schema.String,
    engineId: Schema.String,
    engineVersion: Schema.String,
    kernelVersion: Schema.String,
    checkIds: Schema.Array(Schema.String)
  },
  /** Written durably before a weakened sandbox is created. */
  ControlIntended: { ...at, weakening: Schema.String, containerName: Schema.String },
  /** A weakened sandbox ran, was read and removed. */
  ControlEstablished: { ...at, weakening: Schema.String, breachedCheckIds: Schema.Array(Schema.String) },
  /** No weakened sandbox: refused by the engine, not existing there, or not allowed. */
  ControlRefused: { ...at, weakening: Schema.String, reason: Schema.String },
  CheckJudged: {
    ...at,
    checkId: Schema.String,
    category: Category,
    severity: Severity,
    verdict: CheckVerdict,
    /** The weakening that gave it power. */
    control: Schema.optionalKey(Schema.String)
  },
  AuditFinished: {
    ...at,
    durationMillis: Schema.Finite,
    held: Schema.Int,
    breached: Schema.Int,
    notRun: Schema.Int,
    notApplicable: Schema.Int,
    waived: Schema.Int
  },
  /** Interrupted or failed; the findings so far stand. */
  AuditAborted: { ...at, reason: Schema.String }
})
export type BoundaryEvent = typeof BoundaryEvent.Type

/** The typed family of the category. */
export const family = EventFamily.make({ category, union: BoundaryEvent })
