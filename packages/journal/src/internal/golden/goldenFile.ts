/**
 * Adapter (node:fs, JSON): the fixtures of one category, `<category>.ndjson`, and beside them `<category>.sha256` with the
 * digest of each line, so that one that was edited or removed shows. Lines are only ever added.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { Schema } from "effect"
import { sha256 } from "../hashChain.ts"

const fixture = { type: Schema.String, schemaVersion: Schema.Int, revision: Schema.Int }

/** Payloads of one type and version, and the schema that they were written with. A further revision has more optional fields. */
export const Released = Schema.TaggedStruct("Released", {
  ...fixture,
  schema: Schema.Record(Schema.String, Schema.Json),
  payloads: Schema.Array(Schema.Json)
})
export type Released = typeof Released.Type

/** What those payloads are decoded to by the program whose newest version is `as`. */
export const Reading = Schema.TaggedStruct("Reading", { ...fixture, as: Schema.Int, events: Schema.Array(Schema.Json) })
export type Reading = typeof Reading.Type

export const Line = Schema.Union([Released, Reading])
export type Line = typeof Line.Type

const decodeLine = Schema.decodeUnknownOption(Schema.fromJsonString(Line))

/** `Counted@1`, `Counted@1.2` for its second revision, `Counted@1 as 3` for a reading. */
export const nameOf = (line: Line): string => {
  const name = `${line.type}@${line.schemaVersion}${line.revision === 1 ? "" : `.${line.revision}`}`
  return line._tag === "Released" ? name : `${name} as ${line.as}`
}

export interface GoldenFile {
  readonly lines: ReadonlyArray<Line>
  /** Lines that are not what was recorded: a name, or the number of a line that cannot be read. */
  readonly edited: ReadonlyArray<string>
  /** Recorded, and not there any more. */
  readonly removed: ReadonlyArray<string>
}

const textsOf = (file: string): ReadonlyArray<string> =>
  fs.existsSync(file)
    ? fs
        .readFileSync(file, "utf8")
        .split("\n")
        .filter((text) => text !== "")
    : []

const places = (directory: string, category: string) => ({
  fixtures: path.join(directory, `${category}.ndjson`),
  digests: path.join(directory, `${category}.sha256`)
})

/** An absent file is an empty one. */
export const readGolden = (directory: string, category: string): GoldenFile => {
  const { fixtures, digests } = places(directory, category)
  const recorded = new Map(textsOf(digests).map((text) => [text.slice(66), text.slice(0, 64)] as const))
  const lines: Array<Line> = []
  const edited: Array<string> = []
  for (const [index, text] of textsOf(fixtures).entries()) {
    const line = decodeLine(text)
    if (line._tag === "None") {
      edited.push(`line ${index + 1}`)
      continue
    }
    lines.push(line.value)
    const name = nameOf(line.value)
    if (recorded.get(name) !== sha256(text)) edited.push(name)
  }
  const there = new Set(lines.map(nameOf))
  return { lines, edited, removed: [...recorded.keys()].filter((name) => !there.has(name)) }
}

/** Adds lines at the end of both files. */
export const addGolden = (directory: string, category: string, lines: ReadonlyArray<Line>): void => {
  const { fixtures, digests } = places(directory, category)
  const texts = lines.map((line) => [JSON.stringify(line), nameOf(line)] as const)
  fs.mkdirSync(directory, { recursive: true })
  fs.appendFileSync(fixtures, texts.map(([text]) => `${text}\n`).join(""))
  fs.appendFileSync(digests, texts.map(([text, name]) => `${sha256(text)}  ${name}\n`).join(""))
}
