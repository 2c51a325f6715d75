/**
 * Core's real-engine tests wait most of their time, each for objects of its own, so their files run side by side. Two stay alone,
 * last: the one that measures what the machine gives a sandbox, and the one that leaves a dead process's objects to its watchdog,
 * which the reconciler's tests would clear as well.
 */
import { defineConfig } from "vitest/config"
import type { TestProjectInlineConfiguration } from "vitest/config"
import { shared } from "../../vitest.shared.ts"

const alone = ["test/Limits.integration.test.ts", "test/Watchdog.integration.test.ts"]

const projects = (shared.test?.projects ?? []).flatMap((project): Array<TestProjectInlineConfiguration> => {
  if (typeof project !== "object" || !("test" in project)) throw new Error("the shared projects are inline objects")
  const { test } = project
  if (test?.name !== "integration") return [project]
  return [
    {
      ...project,
      test: { ...test, exclude: alone, fileParallelism: true, maxWorkers: 2, sequence: { groupOrder: 1 } }
    },
    { ...project, test: { ...test, name: "integration-alone", include: alone, sequence: { groupOrder: 2 } } }
  ]
})

export default defineConfig({ ...shared, test: { ...shared.test, projects } })
