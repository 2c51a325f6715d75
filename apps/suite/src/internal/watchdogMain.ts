/** The process that clears what a killed run owned: see `@sbx/core/Watchdog`. Started by runs, not by people. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { pendingUndos } from "@sbx/chaos/FailureEvent"
import * as Watchdog from "@sbx/core/Watchdog"
import * as Effect from "effect/Effect"

Watchdog.runMain(Watchdog.main({ pendingUndos }).pipe(Effect.provide(NodeServices.layer)))
