/**
 * Waiting until a sandbox is ready, by a strategy that is data. Every wait is raced with the end of the sandbox; failures say
 * what was seen last. Probes run one at a time and never overlap; nothing sleeps longer than one poll past readiness.
 */
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { AppendError } from "@sbx/journal/Journal"
import * as Schema from "effect/Schema"
import type { SandboxNotRunning } from "./Exec.ts"

export type Strategy =
  | { readonly _tag: "Port"; readonly port: number }
  | { readonly _tag: "Http"; readonly port: number; readonly path: string; readonly status: number }
  | { readonly _tag: "Log"; readonly pattern: RegExp }
  | { readonly _tag: "Command"; readonly argv: ReadonlyArray<string> }
  | { readonly _tag: "Healthy" }
  | { readonly _tag: "Exit" }
  | { readonly _tag: "All"; readonly strategies: ReadonlyArray<Strategy> }
  | { readonly _tag: "Any"; readonly strategies: ReadonlyArray<Strategy> }

/** Something listens on this TCP port inside, on any address. Read from the sandbox's /proc/net/tcp and tcp6. */
export const port = (number: number): Strategy => ({ _tag: "Port", port: number })

/** `GET http://127.0.0.1:<port><path>` inside answers with the status, default 200. Needs curl, python3 or nc in the image. */
export const http = (number: number, options: { readonly path?: string; readonly status?: number } = {}): Strategy => ({
  _tag: "Http",
  port: number,
  path: options.path ?? "/",
  status: options.status ?? 200
})

/** A line of PID 1's output matches, past lines included. */
export const log = (pattern: RegExp | string): Strategy => ({
  _tag: "Log",
  pattern: typeof pattern === "string" ? new RegExp(pattern) : pattern
})

/** The command exits with 0. */
export const command = (argv: ReadonlyArray<string>): Strategy => ({ _tag: "Command", argv })

/** The engine's health check says `healthy`. Hardened sandboxes have none: then this fails at once. */
export const healthy: Strategy = { _tag: "Healthy" }

/** PID 1 has ended, with any code. */
export const exit: Strategy = { _tag: "Exit" }

export const all = (...strategies: ReadonlyArray<Strategy>): Strategy => ({ _tag: "All", strategies })
export const any = (...strategies: ReadonlyArray<Strategy>): Strategy => ({ _tag: "Any", strategies })

/** E.g. `all(port 80, log /ready/)`. */
export const describe = (strategy: Strategy): string => {
  switch (strategy._tag) {
    case "Port":
      return `port ${strategy.port}`
    case "Http":
      return `http :${strategy.port}${strategy.path} = ${strategy.status}`
    case "Log":
      return `log ${String(strategy.pattern)}`
    case "Command":
      return `command ${strategy.argv.join(" ")}`
    case "All":
    case "Any":
      return `${strategy._tag.toLowerCase()}(${strategy.strategies.map(describe).join(", ")})`
    default:
      return strategy._tag.toLowerCase()
  }
}

/** The deadline passed. `lastSeen` is what the last probe found. */
export class WaitTimeout extends Schema.TaggedError<WaitTimeout>()("WaitTimeout", {
  sandboxId: Schema.String,
  strategy: Schema.String,
  timeoutMillis: Schema.Finite,
  lastSeen: Schema.String,
  logTail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `Could not see ${this.strategy} in sandbox ${this.sandboxId} within ${this.timeoutMillis} ms: ${this.lastSeen}.\nThe end of its log:\n${this.logTail}`
  }
}

/** The sandbox ended while it was waited for. */
export class ExitedEarly extends Schema.TaggedError<ExitedEarly>()("ExitedEarly", {
  sandboxId: Schema.String,
  strategy: Schema.String,
  exitCode: Schema.Int,
  oomKilled: Schema.Boolean,
  logTail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    const cause = this.oomKilled ? "it was killed for want of memory" : `its main process ended with ${this.exitCode}`
    return `Could not see ${this.strategy} in sandbox ${this.sandboxId}: ${cause}.\nThe end of its log:\n${this.logTail}`
  }
}

/** The strategy can never hold here. */
export class WaitUnsupported extends Schema.TaggedError<WaitUnsupported>()("WaitUnsupported", {
  sandboxId: Schema.String,
  strategy: Schema.String,
  reason: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not wait for ${this.strategy} in sandbox ${this.sandboxId}: ${this.reason}.\nUse another strategy, or another image.`
  }
}

export type WaitError =
  | WaitTimeout
  | ExitedEarly
  | WaitUnsupported
  | SandboxNotRunning
  | CallError
  | ObjectNotFound
  | EngineConflict
  | InvalidRequest
  | AppendError
