import type { ViteUserConfig } from "vitest/config"

/** What every package's vitest configuration has in common. */
export const shared: ViteUserConfig = {
  ssr: { resolve: { conditions: ["@sbx/source", "module", "node", "development|production"] } },
  resolve: { conditions: ["@sbx/source", "module", "node", "development|production"] },
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "junit"],
    outputFile: { junit: "reports/junit.xml" },
    testTimeout: 30_000,
    hookTimeout: 120_000
  }
}
