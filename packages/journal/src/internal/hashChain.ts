/** Adapter (node:crypto): the chain of commit hashes. Each covers the one before and every byte of its events. */
import { hash } from "node:crypto"
import type { Row } from "./storage.ts"

export const algorithm = "sha256"

export const sha256 = (text: string): string => hash(algorithm, text, "hex")

/** The hash before the first commit: ties the chain to one journal. */
export const genesisHash = (journalId: string, createdAtMillis: number): string =>
  sha256(JSON.stringify(["sbx-journal", journalId, createdAtMillis]))

export interface CommitFacts {
  readonly id: number
  readonly epoch: number
  readonly recordedAtMillis: number
}

/** Canonical bytes: JSON of fixed-order arrays, payloads as the text that is stored. */
export const commitHash = (previous: string, commit: CommitFacts, rows: ReadonlyArray<Row>): string =>
  sha256(
    JSON.stringify([
      previous,
      commit.id,
      commit.epoch,
      commit.recordedAtMillis,
      rows.map((row) => [
        row.position,
        row.stream,
        row.version,
        row.type,
        row.schemaVersion,
        row.payload,
        row.commandId ?? null,
        row.causation ?? null,
        row.correlation ?? null,
        row.closes,
        row.recordedAtMillis,
        row.epoch
      ])
    ])
  )
