/** The known names that a mistyped one was probably meant to be. */
import { distance } from "fastest-levenshtein"

/** At most `limit` of `known`, nearest first: those containing the text, then those within a third of its length in edits. */
export const nearest = (text: string, known: ReadonlyArray<string>, limit = 3): ReadonlyArray<string> => {
  const tolerance = Math.max(2, Math.ceil(text.length / 3))
  const score = (name: string) => {
    const tail = name.slice(name.lastIndexOf("/") + 1)
    return text !== "" && name.includes(text) ? 0 : Math.min(distance(text, name), distance(text, tail))
  }
  return known
    .map((name) => ({ name, score: score(name) }))
    .filter((candidate) => candidate.score <= tolerance)
    .sort((a, b) => a.score - b.score || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map((candidate) => candidate.name)
}
