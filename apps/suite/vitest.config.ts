/**
 * The suite's real runs are mostly waiting, so their files run side by side, and so do the unit tests that start the program. Alone, last,
 * stay those that measure, that compare the machine before and after, and that look at what a dead run left: any other run removes it.
 */
import { defineConfig } from "vitest/config"
import type { TestProjectInlineConfiguration } from "vitest/config"
import { shared } from "../../vitest.shared.ts"

const alone = [
  "test/Kill.integration.test.ts",
  "test/MonitorLies.integration.test.ts",
  "test/Reap.integration.test.ts",
  "test/scenarios.integration.test.ts"
]

const projects = (shared.test?.projects ?? []).flatMap((project): Array<TestProjectInlineConfiguration> => {
  if (typeof project !== "object" || !("test" in project)) throw new Error("the shared projects are inline objects")
  const { test } = project
  if (test?.name !== "integration") return [{ ...project, test: { ...test, maxWorkers: 2 } }]
  return [
    {
      ...project,
      test: { ...test, exclude: alone, fileParallelism: true, maxWorkers: 3, sequence: { groupOrder: 1 } }
    },
    {
      ...project,
      // Four scenarios at a time, as in a run.
      test: { ...test, name: "integration-alone", include: alone, maxConcurrency: 4, sequence: { groupOrder: 2 } }
    }
  ]
})

export default defineConfig({ ...shared, test: { ...shared.test, projects } })
