/** What the adapter counts of itself, as Effect metrics: readable with `Metric.value` or any exporter. */
export { engineRepeats } from "./internal/docker/repeats.ts"
