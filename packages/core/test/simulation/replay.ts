/** The command that repeats one history, from the root of the repository. */
export const replay = (seed: number, plant?: string): string =>
  `node --conditions=@sbx/source packages/core/test/simulation/main.ts --seeds 1 --seed ${seed}` +
  (plant === undefined ? "" : ` --plant "${plant}"`)
