/** One broken rule at one place. Checks return findings; they never throw on bad code. */

export interface Finding {
  /** Relative to the repository, with `/`. */
  readonly path: string
  /** From 1; 1 where a whole file or package is meant. */
  readonly line: number
  /** Stable name, used in `allowances.json`. */
  readonly rule: string
  readonly message: string
}

/** `path:line rule message`, the form editors make clickable. */
export const format = ({ path, line, rule, message }: Finding): string => `${path}:${line} ${rule} ${message}`

/** The line of an offset in a text, from 1. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length
