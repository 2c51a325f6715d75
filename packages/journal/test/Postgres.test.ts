import { journalContract } from "./contract.ts"
import { fresh } from "./postgresServer.ts"

journalContract("Postgres", fresh, { runs: 5 })
