/** Identity of a journal, from the injected randomness so that a simulation repeats it. */
import { Effect, Random } from "effect"

// Base32 of Crockford in lower case: no letters that read like digits, safe in labels and file names.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

/** `jrn_` and 16 characters: 80 random bits. */
export const makeJournalId: Effect.Effect<string> = Effect.forEach(Array.from({ length: 16 }), () =>
  Random.nextIntBetween(0, alphabet.length - 1)
).pipe(Effect.map((digits) => `jrn_${digits.map((digit) => alphabet[digit]).join("")}`))
