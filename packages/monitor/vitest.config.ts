/**
 * What is watched without a clock is watched side by side, three at a time. Alone, last, stays what measures cpu: a busy neighbour takes
 * it away.
 */
import { defineConfig } from "vitest/config"
import type { TestProjectInlineConfiguration } from "vitest/config"
import { shared } from "../../vitest.shared.ts"

const alone = ["test/Monitor.integration.test.ts"]

const projects = (shared.test?.projects ?? []).flatMap((project): Array<TestProjectInlineConfiguration> => {
  if (typeof project !== "object" || !("test" in project)) throw new Error("the shared projects are inline objects")
  const { test } = project
  if (test?.name !== "integration") return [project]
  return [
    { ...project, test: { ...test, exclude: alone, maxConcurrency: 3, sequence: { groupOrder: 1 } } },
    { ...project, test: { ...test, name: "integration-alone", include: alone, sequence: { groupOrder: 2 } } }
  ]
})

export default defineConfig({ ...shared, test: { ...shared.test, projects } })
