/**
 * Archives that an extractor must refuse or defuse, as values with their bytes, what they claim to hold, and why they are
 * hostile. Nothing is extracted here. The bytes are the same on every machine and in every run.
 */
import { raw } from "./internal/binary.ts"

export type Format = "tar" | "tar.gz" | "zip"

export type Family = "bomb" | "damage" | "link" | "name" | "node" | "traversal"

export type Kind = "block" | "character" | "directory" | "fifo" | "file" | "hardlink" | "symlink"

/** What one header says, raw: `name` is the name a reader ends up with, `size` the declared size in bytes once expanded. */
export interface Claim {
  readonly name: Uint8Array
  readonly kind: Kind
  readonly size: number
  /** Permission, set-id and sticky bits. */
  readonly mode: number
  /** A link's target, else empty. */
  readonly target: string
}

/** What a safe extractor does: refuses with an error, or may also extract in the harmless way that is described. */
export type Required = { readonly _tag: "Refuse" } | { readonly _tag: "RefuseOrContain"; readonly contained: string }

export interface HostileArchive {
  /** Unique in the corpus. */
  readonly name: string
  readonly family: Family
  readonly format: Format
  readonly bytes: Uint8Array
  /** In archive order; of an archive that ends early or lies, what its readable headers claim. */
  readonly claims: ReadonlyArray<Claim>
  /** Bytes that the files really expand to; what is declared may be less. */
  readonly expandsTo: number
  /**
   * Where a careless extractor writes `payload`: relative to the target folder, or absolute. Put a file with other
   * content there beforehand; it must be unchanged afterwards. Empty when nothing is written outside.
   */
  readonly escapes: ReadonlyArray<string>
  readonly required: Required
  readonly why: string
  /** Where the attack, or the rule it breaks, is described. */
  readonly source: string
}

/** The content of every file that lands outside when an archive escapes. */
export const payload = "sbx-escaped\n"

/** The base name of every file that lands outside. */
export const escapee = "sbx-escaped"

/** Declared bytes of all entries together. */
export const declaredSize = (archive: HostileArchive): number =>
  archive.claims.reduce((sum, entry) => sum + entry.size, 0)

/** One header's claim: a regular file of mode 0o644 unless told. */
export const claim = (name: string | Uint8Array, fields: Partial<Omit<Claim, "name">> = {}): Claim => ({
  kind: "file",
  size: 0,
  mode: fields.kind === "symlink" ? 0o777 : fields.kind === "directory" ? 0o755 : 0o644,
  target: "",
  ...fields,
  name: raw(name)
})

export const refuse: Required = { _tag: "Refuse" }

export const contain = (contained: string): Required => ({ _tag: "RefuseOrContain", contained })

/** An archive of the corpus; it expands to what it declares and escapes nowhere unless told. */
export const make = (
  fields: Omit<HostileArchive, "escapes" | "expandsTo"> & Partial<Pick<HostileArchive, "escapes" | "expandsTo">>
): HostileArchive => ({
  escapes: [],
  expandsTo: fields.claims.reduce((sum, entry) => sum + entry.size, 0),
  ...fields
})
