/**
 * The labels and names of engine objects that sbx makes, so that any later process can tell whose they are and what they belong to.
 * Decoding refuses an object that lacks a label or has one that does not parse: such an object is not ours to touch.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Label keys. `journal` alone marks an object as ours. */
export const keys = {
  journal: "sbx.journal",
  journalPath: "sbx.journal.path",
  run: "sbx.run",
  stream: "sbx.stream",
  intent: "sbx.intent",
  epoch: "sbx.epoch",
  deadline: "sbx.deadline",
  owner: "sbx.owner",
  kind: "sbx.kind"
} as const

/** Prefix that user labels may not have. */
export const reservedPrefix = "sbx."

export const ObjectRole = Schema.Literals(["sandbox", "volume", "network", "sidecar"])
export type ObjectRole = typeof ObjectRole.Type

const Numeric = Schema.FiniteFromString

/** The labels as typed values; the wire form is what the engine stores. */
export const SandboxLabels = Schema.Struct({
  /** Journal id that holds the stream. */
  journal: Schema.String,
  /** Absolute path of the journal on the host that wrote it. */
  journalPath: Schema.String,
  run: Schema.String,
  /** Stream name, e.g. `sandbox/sbx_…`. */
  stream: Schema.String,
  /** Version of the intent in its stream, known before it is appended. */
  intent: Numeric,
  /** The journal's epoch, that is which of its openings wrote the intent. */
  epoch: Numeric,
  /** Milliseconds since the epoch until which a create may still finish. */
  deadline: Numeric,
  /** See `Owner`. */
  owner: Schema.String,
  kind: ObjectRole
}).pipe(Schema.encodeKeys(keys))
export type SandboxLabels = typeof SandboxLabels.Type

const encodeLabels = Schema.encodeSync(SandboxLabels)
const decodeLabels = Schema.decodeUnknownOption(SandboxLabels)

/** Label map of an engine object. */
export const encode = (labels: SandboxLabels): Readonly<Record<string, string>> => encodeLabels(labels)

/** Our labels among an object's; none when it is not ours. */
export const decode = (labels: Readonly<Record<string, string>>): Option.Option<SandboxLabels> => decodeLabels(labels)

/** First 8 characters after a prefix such as `jrn_`. */
const short = (id: string) => id.slice(id.indexOf("_") + 1).slice(0, 8)

/** What the names of all objects of a journal begin with: `sbx-<journal>-`. */
export const objectPrefix = (journalId: string): string => `sbx-${short(journalId)}-`

/** Deterministic name of a container or volume: `sbx-<journal>-<sandbox id>-<attempt>`, valid for engines. */
export const objectName = (journalId: string, sandboxId: string, attempt: number): string =>
  `${objectPrefix(journalId)}${sandboxId}-${attempt}`

/** The workspace outlives attempts, so its name has none. */
export const volumeName = (journalId: string, sandboxId: string): string => `${objectPrefix(journalId)}${sandboxId}-ws`

/** Filter that matches every object of ours; add {@link keys}.journal with a value for one journal's. */
export const ours: Readonly<Record<string, string>> = { [keys.journal]: "" }
