/**
 * Holds a family to every version of its events that was ever released: committed fixtures must still decode, to what they
 * decoded to, and a released schema may not change without a new version. For the tests of a package that has a family.
 * Adds fixtures that are missing when told to, and never rewrites one.
 */
import { Config, Console, Effect, Equal, Result, Schema } from "effect"
import type { EventFamily, EventUndecodable, TaggedEvents } from "../EventFamily.ts"
import type { Recorded } from "../Journal.ts"
import type { JsonObject } from "../internal/golden/encodedSchema.ts"
import { compare, encodedSchema } from "../internal/golden/encodedSchema.ts"
import type { GoldenFile, Line, Reading, Released } from "../internal/golden/goldenFile.ts"
import { addGolden, nameOf, readGolden } from "../internal/golden/goldenFile.ts"
import { plainValue } from "../internal/golden/plainValue.ts"
import { samplePayloads } from "../internal/golden/samplePayloads.ts"

export interface GoldenOptions<U extends TaggedEvents> {
  readonly family: EventFamily<U["Type"]>
  /** The union that the family was made of. */
  readonly union: U
  /** Where `<category>.ndjson` and `<category>.sha256` lie; committed. */
  readonly directory: string
  /** Events to record besides the generated ones; needed for a type whose schema has patterns or refinements. */
  readonly examples?: ReadonlyArray<U["Type"]>
}

export const FindingReason = Schema.Literals([
  "Edited",
  "NoExample",
  "NotRecorded",
  "ReadingChanged",
  "Removed",
  "SchemaChanged",
  "TypeGone",
  "Undecodable"
])
export type FindingReason = typeof FindingReason.Type

/** {@link record} adds what is `NotRecorded`; everything else needs its author. */
const Finding = Schema.Struct({ reason: FindingReason, name: Schema.String, fact: Schema.String })
export type Finding = typeof Finding.Type

/** Environment variable that makes {@link verify} add what is not recorded: `SBX_RECORD_GOLDEN=true`. */
export const recordVariable = "SBX_RECORD_GOLDEN"

const bump = "Leave the released schema as it was, or give the type a new version: its new schema, and an upcast."
const restore = "Take it back from version control; fixtures are only ever added."
const remedies: Record<FindingReason, string> = {
  Edited: restore,
  NoExample: "Give an event of this type in `examples`.",
  NotRecorded: `Add it: run this test once with ${recordVariable}=true, and commit the files.`,
  ReadingChanged: bump,
  Removed: restore,
  SchemaChanged: bump,
  TypeGone: "Put the type back into the union, with its upcasts; a type is never renamed or removed.",
  Undecodable: bump
}

/** Some event that was released is not safe with this program. */
export class GoldenEventsBroken extends Schema.TaggedError<GoldenEventsBroken>()("GoldenEventsBroken", {
  category: Schema.String,
  directory: Schema.String,
  findings: Schema.NonEmptyArray(Finding)
}) {
  override get message() {
    const advice = [...new Set(this.findings.map(({ reason }) => remedies[reason]))]
    const groups = advice.map((remedy) => {
      const facts = this.findings.flatMap(({ reason, name, fact }) =>
        remedies[reason] === remedy ? [`- ${name}: ${fact}.`] : []
      )
      return `${facts.join("\n")}\n${remedy}`
    })
    return `Could not confirm the released events of ${this.category} in ${this.directory}:\n${groups.join("\n")}`
  }
}

/** Everything that does not hold; reads only. */
export const check = <U extends TaggedEvents>(options: GoldenOptions<U>): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.sync(() => look(options).findings)

/** Adds the fixtures that are missing, and answers their names. Existing ones stay as they are. */
export const record = <U extends TaggedEvents>(
  options: GoldenOptions<U>
): Effect.Effect<ReadonlyArray<string>, GoldenEventsBroken> =>
  Effect.suspend(() => {
    const { category } = options.family
    const due = look(options).due
    const broken = due.flatMap((line) => ("reason" in line ? [line] : []))
    if (isNonEmpty(broken)) return Effect.fail(failure(options, broken))
    const lines = due.flatMap((line) => ("reason" in line ? [] : [line]))
    if (lines.length > 0) addGolden(options.directory, category, lines)
    return Effect.succeed(lines.map(nameOf))
  })

/** Fails with all that {@link check} finds; with {@link recordVariable} set, {@link record} comes first. */
export const verify = Effect.fn("GoldenEvents.verify")(function* <U extends TaggedEvents>(
  options: GoldenOptions<U>
): Effect.fn.Return<void, GoldenEventsBroken | Config.ConfigError> {
  if (yield* Config.withDefault(Config.Boolean(recordVariable), false)) {
    for (const name of yield* record(options)) yield* Console.log(`recorded ${name}`)
  }
  const findings = yield* check(options)
  if (isNonEmpty(findings)) return yield* failure(options, findings)
})

type Findings = readonly [Finding, ...ReadonlyArray<Finding>]
const isNonEmpty = (findings: ReadonlyArray<Finding>): findings is Findings => findings.length > 0

const failure = <U extends TaggedEvents>({ family, directory }: GoldenOptions<U>, findings: Findings) =>
  new GoldenEventsBroken({ category: family.category, directory, findings })

interface Look {
  readonly findings: Array<Finding>
  /** Lines to add, and what prevents one. */
  readonly due: Array<Line | Finding>
}

const look = <U extends TaggedEvents>(options: GoldenOptions<U>): Look => {
  const { family, union, directory } = options
  const golden = readGolden(directory, family.category)
  const seen: Look = { findings: [], due: [] }
  for (const name of golden.edited)
    seen.findings.push({ reason: "Edited", name, fact: "it is not the line that was recorded" })
  for (const name of golden.removed) seen.findings.push({ reason: "Removed", name, fact: "its fixture was removed" })
  for (const [type, newest] of family.versions) {
    const schema = union.cases[type]
    if (schema === undefined) throw new Error(`the family ${family.category} was not made of this union: ${type}`)
    for (let version = 1; version < newest; version++) lookForOlder(golden, seen, type, version)
    lookAtNewest(options, golden, seen, { type, newest, present: encodedSchema(schema) })
  }
  for (const line of golden.lines) if (line._tag === "Released") lookAtReleased(options, golden, seen, line)
  return seen
}

const releasesOf = ({ lines }: GoldenFile, type: string, version: number): ReadonlyArray<Released> =>
  lines.flatMap((line) =>
    line._tag === "Released" && line.type === type && line.schemaVersion === version ? [line] : []
  )

/** A version that is not written any more can only have been recorded while it was. */
const lookForOlder = (golden: GoldenFile, seen: Look, type: string, version: number) => {
  const name = `${type}@${version}`
  if (releasesOf(golden, type, version).length > 0 || golden.removed.includes(name)) return
  seen.findings.push({ reason: "Removed", name, fact: "a version before the newest has no fixture" })
}

interface Newest {
  readonly type: string
  readonly newest: number
  readonly present: JsonObject
}

const lookAtNewest = <U extends TaggedEvents>(
  options: GoldenOptions<U>,
  golden: GoldenFile,
  seen: Look,
  { type, newest, present }: Newest
) => {
  const last = releasesOf(golden, type, newest).at(-1)
  const name = `${type}@${newest}`
  const add = (revision: number, fact: string) => {
    seen.findings.push({ reason: "NotRecorded", name, fact })
    seen.due.push(...release(options, { _tag: "Released", type, schemaVersion: newest, revision, schema: present }))
  }
  if (last === undefined) {
    if (!golden.removed.includes(name)) add(1, "it has no fixture")
    return
  }
  const { grown, changed } = compare(last.schema, present)
  if (changed.length > 0) {
    seen.findings.push({
      reason: "SchemaChanged",
      name: nameOf(last),
      fact: `its schema changed: ${changed.join("; ")}`
    })
  } else if (grown.length > 0) add(last.revision + 1, `the optional ${grown.join(", ")} is not in its fixture`)
}

/** Its payloads decode, and to what is on record for the version that is newest now. */
const lookAtReleased = <U extends TaggedEvents>(
  options: GoldenOptions<U>,
  golden: GoldenFile,
  seen: Look,
  released: Released
) => {
  const { family } = options
  const name = nameOf(released)
  const newest = family.versions.get(released.type)
  if (newest === undefined || released.schemaVersion > newest) {
    seen.findings.push({ reason: "TypeGone", name, fact: "no such type and version is known" })
    return
  }
  const read = reading(options, released, newest)
  if (Result.isFailure(read)) {
    seen.findings.push({ reason: "Undecodable", name, fact: `it does not decode: ${read.failure.issue}` })
    return
  }
  const readingName = nameOf(read.success)
  const before = golden.lines.find((line) => line._tag === "Reading" && nameOf(line) === readingName)
  if (before?._tag === "Reading") {
    const at = before.events.findIndex((event, index) => !Equal.equals(event, read.success.events[index]))
    if (at < 0 && before.events.length === read.success.events.length) return
    const [was, is] = [before.events[at], read.success.events[at]].map((event) => JSON.stringify(event))
    seen.findings.push({ reason: "ReadingChanged", name: readingName, fact: `it decodes to ${is}, not ${was}` })
  } else if (!golden.removed.includes(readingName)) {
    seen.findings.push({ reason: "NotRecorded", name: readingName, fact: "what it decodes to is not recorded" })
    seen.due.push(read.success)
  }
}

/** A fixture of the newest version and its reading. */
const release = <U extends TaggedEvents>(
  options: GoldenOptions<U>,
  facts: Omit<Released, "payloads">
): ReadonlyArray<Line | Finding> => {
  const { family, examples = [] } = options
  const given = examples.filter((event) => event._tag === facts.type).map((event) => family.encode(event).payload)
  const generated = samplePayloads(facts.schema).filter((payload) =>
    Result.isSuccess(family.decodeResult(stored(options, facts, payload)))
  )
  const released: Released = { ...facts, payloads: [...given, ...generated] }
  const read = reading(options, released, facts.schemaVersion)
  return released.payloads.length > 0 && Result.isSuccess(read)
    ? [released, read.success]
    : [{ reason: "NoExample", name: nameOf(released), fact: "no payload that fits its schema could be generated" }]
}

const reading = <U extends TaggedEvents>(
  options: GoldenOptions<U>,
  released: Released,
  as: number
): Result.Result<Reading, EventUndecodable> => {
  const { type, schemaVersion, revision } = released
  const events: Array<Schema.Json> = []
  for (const payload of released.payloads) {
    const decoded = options.family.decodeResult(stored(options, released, payload))
    if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
    events.push(plainValue(decoded.success))
  }
  return Result.succeed({ _tag: "Reading", type, schemaVersion, revision, as, events })
}

/** A payload in an envelope that says nothing. */
const stored = <U extends TaggedEvents>(
  { family }: GoldenOptions<U>,
  { type, schemaVersion }: Pick<Released, "type" | "schemaVersion">,
  payload: Schema.Json
): Recorded => ({
  position: 1,
  stream: family.stream("golden"),
  version: 1,
  type,
  schemaVersion,
  payload,
  eventId: "golden:1",
  recordedAtMillis: 0,
  epoch: 1
})
