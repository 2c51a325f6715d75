/** The command that repeats one history. */
export const replay = (seed: number): string =>
  `node --conditions=@sbx/source packages/core/test/simulation/main.ts --seeds 1 --seed ${seed}`
