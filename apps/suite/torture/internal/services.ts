/** What every torture may use: the engine under torture, as its own observer and not through what is tested. */
import type * as NodeServices from "@effect/platform-node/NodeServices"
import type { Engine } from "@sbx/engine/Engine"
import type { Located } from "@sbx/engine/Located"
import type { Images } from "../../src/Images.ts"
import type { Progress } from "../../src/Progress.ts"

export type Services = NodeServices.NodeServices | Engine | Located | Images | Progress
