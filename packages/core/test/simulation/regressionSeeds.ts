/** Seeds that once violated an invariant, and what they found. They stay: a schedule that was bad once is worth repeating. */
export const regressionSeeds: ReadonlyArray<{ readonly seed: number; readonly found: string }> = [
  { seed: 18, found: "a reconcile took the image of a neighbour's new workspace for a leftover and removed it" },
  { seed: 71, found: "a late container was removed by its label alone, and the volume remade for it stayed" },
  { seed: 114, found: "a volume that a late container needed was removed, came back without labels, and stayed" },
  { seed: 12_468, found: "a pause that was under way when its owner died came into effect after its undo" }
]
