/** Whether facts are on record in the order in which they must have happened. */

/** The facts of `expected` that do not follow their predecessors in `actual`; other facts may lie between. */
export const missingInOrder = (
  expected: ReadonlyArray<string>,
  actual: ReadonlyArray<string>
): ReadonlyArray<string> => {
  let from = 0
  return expected.filter((fact) => {
    const index = actual.indexOf(fact, from)
    if (index >= 0) from = index + 1
    return index < 0
  })
}
