/**
 * The engine's real-engine tests are mostly waiting on engines of their own in folders of their own, so their files run side by
 * side. Two kinds stay alone, last: those that compare the host before and after, and those that measure the shared engine.
 */
import { defineConfig } from "vitest/config"
import type { TestProjectInlineConfiguration } from "vitest/config"
import { shared } from "../../vitest.shared.ts"

const alone = ["test/PrivateEngineHost.integration.test.ts", "test/EngineCapabilities.integration.test.ts"]

const projects = (shared.test?.projects ?? []).flatMap((project): Array<TestProjectInlineConfiguration> => {
  if (typeof project !== "object" || !("test" in project)) throw new Error("the shared projects are inline objects")
  const { test } = project
  if (test?.name !== "integration") return [project]
  return [
    {
      ...project,
      test: { ...test, exclude: alone, fileParallelism: true, maxWorkers: 3, sequence: { groupOrder: 1 } }
    },
    { ...project, test: { ...test, name: "integration-alone", include: alone, sequence: { groupOrder: 2 } } }
  ]
})

export default defineConfig({ ...shared, test: { ...shared.test, projects } })
