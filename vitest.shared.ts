import { fileURLToPath } from "node:url"
import type { ViteUserConfig } from "vitest/config"

const conditions = ["@sbx/source", "module", "node", "development|production"]
const postgresSetup = fileURLToPath(new URL("./tooling/src/vitestPostgres.ts", import.meta.url))
const engineSetup = fileURLToPath(new URL("./tooling/src/vitestEngine.ts", import.meta.url))

/**
 * What every package's vitest configuration has in common: unit tests, and real-engine tests (`*.integration.test.ts`) with the
 * engine brought by a global set-up. Those run one file at a time, since they share the machine's engine and measure it.
 */
export const shared: ViteUserConfig = {
  test: {
    reporters: ["default", "junit"],
    outputFile: { junit: "reports/junit.xml" },
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.integration.test.ts"],
          testTimeout: 30_000
        }
      },
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: "integration",
          include: ["test/**/*.integration.test.ts"],
          globalSetup: [engineSetup],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000
        }
      }
    ]
  }
}

/** {@link shared}, with the tests on PostgreSQL (`Postgres*.test.ts`) apart: a global set-up brings them a server. */
export const sharedWithPostgres: ViteUserConfig = {
  test: {
    ...shared.test,
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/Postgres*.test.ts"],
          testTimeout: 30_000
        }
      },
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: "postgres",
          include: ["test/**/Postgres*.test.ts"],
          globalSetup: [postgresSetup],
          // They leave nothing behind in their process, and importing the driver five times takes longer than most of them.
          isolate: false,
          testTimeout: 60_000
        }
      }
    ]
  }
}
