/**
 * Faults mostly wait for their proof and their end, so they are tested side by side, three at a time. Alone, last, stay those whose time
 * and load are measured.
 */
import { defineConfig } from "vitest/config"
import type { TestProjectInlineConfiguration } from "vitest/config"
import { shared } from "../../vitest.shared.ts"

const alone = ["test/CpuStress.integration.test.ts"]
const sideBySide = { fileParallelism: true, maxWorkers: 3, maxConcurrency: 3 }

const projects = (shared.test?.projects ?? []).flatMap((project): Array<TestProjectInlineConfiguration> => {
  if (typeof project !== "object" || !("test" in project)) throw new Error("the shared projects are inline objects")
  const { test } = project
  if (test?.name !== "integration") return [project]
  return [
    { ...project, test: { ...test, ...sideBySide, exclude: alone, sequence: { groupOrder: 1 } } },
    { ...project, test: { ...test, name: "integration-alone", include: alone, sequence: { groupOrder: 2 } } }
  ]
})

export default defineConfig({ ...shared, test: { ...shared.test, projects } })
