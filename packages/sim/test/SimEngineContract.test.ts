import { engineContract } from "@sbx/engine/testing/EngineContract"
import * as SimEngine from "../src/SimEngine.ts"
import { contractPrograms, simulatedPrograms } from "./support/contractPrograms.ts"

engineContract(
  "SimEngine",
  SimEngine.layerWith({
    programs: simulatedPrograms,
    images: [{ reference: "sim:contract", command: ["sleep", "infinity"] }]
  }),
  {
    image: "sim:contract",
    programs: contractPrograms
  }
)
