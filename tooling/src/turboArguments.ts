/** What turbo is told: the user's words, and that packages take turns where real-engine tests share one engine and measure it. */

/** turbo's own arguments, and those after `--`, which are the task's. */
const split = (args: ReadonlyArray<string>) => {
  const end = args.indexOf("--")
  return end < 0 ? { own: args, passed: [] } : { own: args.slice(0, end), passed: args.slice(end) }
}

/** Whether tests may run. A filter that is called `test` counts: looking for an engine in vain is the smaller harm. */
export const runsTests = (args: ReadonlyArray<string>): boolean =>
  split(args).own.some((arg) => arg === "test" || arg.endsWith("#test"))

/** Adds `--concurrency=1` for tests unless the user says otherwise, where it can part no flag from its value. */
export const turboArguments = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { own, passed } = split(args)
  const isFree = runsTests(args) && !own.some((arg) => /^--concurrency(=|$)/.test(arg))
  return [...own, ...(isFree ? ["--concurrency=1"] : []), ...passed]
}
