import { Effect } from "effect"
import { engineContract } from "../src/testing/EngineContract.ts"
import { shellPrograms } from "../src/testing/ContractPrograms.ts"
import { testEngine, testImage } from "./support/testEngine.ts"

engineContract("Docker", testEngine, { image: Effect.runSync(testImage), programs: shellPrograms })
