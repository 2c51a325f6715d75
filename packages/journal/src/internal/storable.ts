/** What text every storage keeps as it is: PostgreSQL refuses NUL, and UTF-8 has no lone surrogates. */
export const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

/** Throws on other text: it would otherwise fail a whole batch of innocent neighbours. */
export const storable = (what: string, text: string): string => {
  if (!isStorable(text)) throw new Error(`${what} ${JSON.stringify(text)} cannot be stored`)
  return text
}
