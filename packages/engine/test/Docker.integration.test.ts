import { Effect } from "effect"
import { engineContract } from "./support/engineContract.ts"
import { testEngine, testImage } from "./support/testEngine.ts"

engineContract("Docker", testEngine, { image: Effect.runSync(testImage) })
