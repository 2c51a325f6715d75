/** The command line as one file for publishing: `dist/main.js`. Native parts that our dependencies only try stay outside. */
import { defineConfig } from "rolldown"

export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  // The benchmarks are not published. ssh2, which dockerode loads, looks for compiled helpers and does without them.
  external: [/\.node$/, "cpu-features", /\/bench\/\w+\.ts$/],
  resolve: { conditionNames: ["@sbx/source", "import", "node", "default"] },
  output: { file: "dist/main.js", format: "esm", banner: "#!/usr/bin/env node", codeSplitting: false }
})
