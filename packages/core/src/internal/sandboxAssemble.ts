/** The handle from its parts. */
import type { Journal } from "@sbx/journal/Journal"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import { SandboxEvents } from "../SandboxEvent.ts"
import type { Sandbox } from "../SandboxHandle.ts"
import * as SandboxRemoval from "../SandboxRemoval.ts"
import * as ExecProcess from "./execProcess.ts"
import { refresh, type SandboxContext } from "./execStart.ts"
import type { Born } from "./sandboxBirth.ts"
import * as Changes from "./sandboxChanges.ts"
import * as Files from "./sandboxFiles.ts"
import { spawn } from "./spawnProcess.ts"
import { waitFor } from "./waitFor.ts"

export interface Parts {
  readonly context: SandboxContext
  readonly born: Born
  readonly remains: SandboxRemoval.Remains
  readonly removers: SandboxRemoval.Removers
  readonly journal: Journal["Service"]
  readonly fs: FileSystem
  readonly waitTimeout: Duration.Input
  /** Once it is removed. */
  readonly forget: Effect.Effect<void>
}

export const assemble = ({ context, born, remains, removers, journal, fs, waitTimeout, forget }: Parts): Sandbox => {
  const { engine, recorder } = context
  return {
    id: context.id,
    spec: context.spec,
    uid: born.uid,
    get name() {
      return remains.containerName
    },
    volume: remains.volume,
    get containerId() {
      return recorder.state().containerId ?? born.containerId
    },
    createdAtMillis: born.createdAtMillis,
    startedAtMillis: born.startedAtMillis,
    state: refresh(context),
    exec: (argv, options) => ExecProcess.exec(context, argv, options),
    execOk: (argv, options) => ExecProcess.execOk(context, argv, options),
    spawn: (argv, options) => spawn(context, argv, options),
    files: Files.make({ ...context, fs }),
    wait: (strategy, options) => waitFor(context, strategy, options?.timeout ?? waitTimeout),
    pause: Changes.pause(context),
    resume: Changes.resume(context),
    stop: (options) => Changes.stop(context, options),
    kill: Changes.killNow(context),
    restart: (options) => Changes.restart(context, options, "asked"),
    remove: Effect.tap(SandboxRemoval.remove(removers, remains, "asked"), () => forget),
    awaitExit: Changes.awaitExit(context),
    logs: (options) =>
      engine.logs(context.containerId(), {
        follow: options?.follow ?? false,
        ...(options?.tail === undefined ? {} : { tail: options.tail })
      }),
    inspect: Effect.suspend(() => engine.inspectContainer(context.containerId())),
    events: SandboxEvents.events(journal, { stream: recorder.stream })
  }
}
