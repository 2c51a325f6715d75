/**
 * The command line as one file for publishing, `dist/main.js`, and beside it the watchdog that runs start, `dist/watchdog.js`.
 * Native parts that our dependencies only try stay outside.
 */
import { defineConfig } from "rolldown"

const program = (name: string, input: string) =>
  defineConfig({
    input,
    platform: "node",
    // ssh2, which dockerode loads, looks for compiled helpers and does without them.
    external: [/\.node$/, "cpu-features"],
    resolve: { conditionNames: ["@sbx/source", "import", "node", "default"] },
    output: { file: `dist/${name}.js`, format: "esm", banner: "#!/usr/bin/env node", codeSplitting: false }
  })

export default [program("main", "src/main.ts"), program("watchdog", "src/internal/watchdogMain.ts")]
