/**
 * Makes `enableLogging` and `logLevel` of the environment effective: a layer that replaces the program's loggers.
 * Lines go to standard error, so that standard output stays the program's answer, and to a file of the run when one is named.
 * `Redacted` values print as `<redacted>` by themselves; the text of known secrets is blotted out wherever it turns up.
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { LogLevel } from "effect/LogLevel"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { Environment, type LogLevelSetting } from "./Environment.ts"

export interface LoggingOptions {
  /** Log file of the run or scenario, logfmt lines, appended. Absent: none. */
  readonly file?: string
  /** Values that must not be seen; shorter than 4 characters are ignored, they would blot out ordinary text. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted>
  /** Also print to standard error. Default true. */
  readonly console?: boolean
}

const levels: Record<LogLevelSetting, LogLevel> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  none: "None"
}

/** Replaces the loggers. Fails when the log file cannot be opened. */
export const layer = (options: LoggingOptions = {}): Layer.Layer<never, PlatformError, Environment | FileSystem> =>
  Layer.unwrap(
    Effect.map(Environment, (environment) => {
      const level = environment.enableLogging ? levels[environment.logLevel] : "None"
      return Layer.mergeAll(Logger.layer(loggers(options)), Layer.succeed(References.MinimumLogLevel, level))
    })
  )

const loggers = (options: LoggingOptions) => {
  const line = Logger.map(Logger.formatLogFmt, blot(options.secrets ?? []))
  return [
    ...(options.console === false ? [] : [Logger.withConsoleError(line)]),
    ...(options.file === undefined ? [] : [Logger.toFile(line, options.file, { flag: "a", batchWindow: "100 millis" })])
  ]
}

/** Replaces every occurrence of every secret; also as logfmt quotes it; longest first, so that one that
 * contains another leaves no rest. */
export const blot = (secrets: ReadonlyArray<Redacted.Redacted>) => {
  const texts = secrets
    .map(Redacted.value)
    .flatMap((text) => (text.length < 4 ? [] : [text, text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')]))
    .sort((a, b) => b.length - a.length)
  return (line: string): string => texts.reduce((out, text) => out.replaceAll(text, "<redacted>"), line)
}
