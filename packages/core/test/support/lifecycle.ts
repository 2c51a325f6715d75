/** Given-states and sample commands of the lifecycle tables. */
import type { SandboxEvent } from "../../src/SandboxEvent.ts"
import type { ContainerObservation, SandboxCommand } from "../../src/SandboxLifecycle.ts"
import { spec } from "./spec.ts"

export const at = { atMillis: 0 } as const

const createFields = (attempt: number) => ({
  ...at,
  sandboxId: "sbx_aaaaaaaaaaaaaaaa",
  spec,
  specDigest: "sha256:00",
  containerName: `sbx-j-a-${attempt}`,
  volumeName: "sbx-j-a-ws",
  uid: 100_000,
  attempt,
  labels: {},
  deadlineMillis: 10_000
})

export const create = (attempt: number) => ({ _tag: "Create", ...createFields(attempt) }) as const

const made = { _tag: "Created", ...at, containerId: "c1", createdAtMillis: 500 } as const
const started = (startedAtMillis: number) => ({ _tag: "Started", ...at, startedAtMillis }) as const
const died = (finishedAtMillis: number) =>
  ({ _tag: "Died", ...at, exitCode: 137, oomKilled: false, finishedAtMillis }) as const
const exec = (execKey: string) =>
  ({
    _tag: "Exec",
    ...at,
    execKey,
    argv: ["true"],
    argvDigest: "sha256:00",
    user: "",
    cwd: "/",
    timeoutMillis: 1000
  }) as const

/** Plausible commands at a time; which one is chosen by a number. */
const lives = (time: number): ReadonlyArray<SandboxCommand> => [
  create(1),
  { _tag: "Report", outcome: made },
  { _tag: "Start", ...at },
  { _tag: "Report", outcome: started(time) },
  { _tag: "Pause", ...at },
  { _tag: "Report", outcome: { _tag: "Paused", ...at } },
  { _tag: "Resume", ...at },
  { _tag: "Report", outcome: { _tag: "Resumed", ...at } },
  exec("k"),
  { _tag: "Report", outcome: { _tag: "ExecLost", ...at, execKey: "k", reason: "" } },
  { _tag: "Stop", ...at, reason: "", graceMillis: 1 },
  { _tag: "Report", outcome: { _tag: "Stopped", ...at, exitCode: 0, finishedAtMillis: time } },
  { _tag: "Restart", ...at, reason: "" },
  { _tag: "Report", outcome: died(time) },
  create(2),
  { _tag: "Report", outcome: { _tag: "Vanished", ...at, reason: "" } },
  { _tag: "Remove", ...at, reason: "" },
  { _tag: "Report", outcome: { _tag: "Removed", ...at } },
  { _tag: "Report", outcome: { _tag: "CreateFailed", ...at, reason: "" } },
  { _tag: "Observe", atMillis: time * 3, container: { _tag: "Absent" } },
  { _tag: "Report", outcome: { _tag: "HostLost", ...at, reason: "" } }
]
const lifeLength = lives(0).length

const life = (n: number): SandboxCommand => lives(1000 * (1 + Math.abs(n % 9)))[Math.abs(n) % lifeLength] ?? create(1)

export const history = {
  made,
  started,
  died,
  exec,
  life,
  lifeLength,
  createIntended: (attempt: number) => ({ _tag: "CreateIntended", ...createFields(attempt) }) as const
}

const created: ReadonlyArray<SandboxEvent> = [history.createIntended(1), made]
const running: ReadonlyArray<SandboxEvent> = [...created, { _tag: "StartIntended", ...at }, started(1000)]

/** Streams that end in the named status. */
export const given = {
  created,
  running,
  paused: [...running, { _tag: "PauseIntended", ...at }, { _tag: "Paused", ...at }] as ReadonlyArray<SandboxEvent>,
  stopped: [...running, died(2000)] as ReadonlyArray<SandboxEvent>,
  removing: [...running, { _tag: "RemoveIntended", ...at, reason: "" }] as ReadonlyArray<SandboxEvent>
}

export const observed = (
  facts: Partial<Omit<Extract<ContainerObservation, { readonly _tag: "Present" }>, "_tag">>
): ContainerObservation => ({
  _tag: "Present",
  containerId: "c1",
  status: "running",
  createdAtMillis: 500,
  oomKilled: false,
  ...facts
})
