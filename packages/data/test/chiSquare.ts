/** Pearson's chi-square over byte counts against the uniform distribution, with 255 degrees of freedom. */

/**
 * 99.99 % and 0.01 % points for 255 degrees of freedom, by Wilson and Hilferty's cube approximation (1931):
 * 255·(1 - 2/2295 ± 3.719·sqrt(2/2295))³. Too even is as wrong as too uneven.
 */
const acceptable = { least: 179.3, most: 347.8 }

export const chiSquare = (chunks: Iterable<Uint8Array>): number => {
  const counts = new Float64Array(256)
  let total = 0
  for (const chunk of chunks) {
    for (const byte of chunk) counts[byte] = (counts[byte] ?? 0) + 1
    total += chunk.length
  }
  const expected = total / 256
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

export const isUniform = (chunks: Iterable<Uint8Array>): boolean => {
  const statistic = chiSquare(chunks)
  return statistic >= acceptable.least && statistic <= acceptable.most
}
