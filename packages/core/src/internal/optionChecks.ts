/** One checker per kind of option value: returns the value, and adds an issue when it is not what is expected. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as ByteSize from "../ByteSize.ts"
import * as CpuLimit from "../CpuLimit.ts"
import { reservedPrefix } from "../SandboxLabels.ts"
import type { Loosening, WorkspaceKind } from "../SandboxSpec.ts"
import { capabilities } from "./capabilities.ts"

export interface Issue {
  readonly field: string
  readonly value: string
  readonly expectation: string
}

const patterns = {
  /** A path inside: absolute, no empty, `.` or `..` part, no trailing slash. */
  path: /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/,
  envName: /^[A-Za-z_][A-Za-z0-9_]*$/,
  hostname: /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  network: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
  user: /^[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/,
  image: /^[^\s\0]{1,512}$/
}

/** Where a workspace would hide what a sandbox needs. */
const takenPaths = ["/tmp", "/proc", "/sys", "/dev", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/run", "/var"]
const maxGraceMillis = 600_000
const show = (value: unknown) => (typeof value === "string" ? `"${value}"` : String(value))

export const checks = (issues: Array<Issue>) => {
  const refuse = (field: string, value: unknown, expectation: string) =>
    void issues.push({ field, value: show(value), expectation })
  const expect = <A>(field: string, value: A, holds: boolean, expectation: string): A => {
    if (!holds) refuse(field, value, expectation)
    return value
  }
  const path = (field: string, value: string) =>
    expect(field, value, patterns.path.test(value), "an absolute path inside without . or ..")
  return {
    refuse,
    path,
    ...values(refuse, expect),
    workspacePath: (value: string) =>
      expect("workspace.path", path("workspace.path", value), !isTaken(value), "a path that the system does not use"),
    network: (value: string) =>
      expect(
        "network",
        value,
        patterns.network.test(value) && value !== "host",
        "none or a network's name (the host's network is loosening.hostNetwork)"
      ),
    env: (env: Readonly<Record<string, string>>) => {
      for (const [name, value] of Object.entries(env)) {
        expect("env", name, patterns.envName.test(name), "names of letters, digits and _, not starting with a digit")
        if (value.includes("\0")) refuse(`env.${name}`, "text with a NUL", "text without NUL")
      }
      return env
    },
    labels: (labels: Readonly<Record<string, string>>) => {
      for (const key of Object.keys(labels)) {
        expect(
          "labels",
          key,
          key !== "" && !key.startsWith(reservedPrefix),
          `keys that do not begin with ${reservedPrefix}`
        )
      }
      return labels
    },
    loosening: (loosening: Loosening) => checkLoosening(loosening, expect)
  }
}

type Refuse = (field: string, value: unknown, expectation: string) => void
type Expect = <A>(field: string, value: A, holds: boolean, expectation: string) => A

const isTaken = (path: string) => takenPaths.some((taken) => path === taken || path.startsWith(`${taken}/`))

const values = (refuse: Refuse, expect: Expect) => ({
  image: (image: string | undefined): string =>
    expect("image", image ?? "", patterns.image.test(image ?? ""), "an image reference, or defaults that name one"),
  command: (argv: ReadonlyArray<string>) =>
    expect(
      "command",
      argv,
      argv.length > 0 && argv[0] !== "" && !argv.some((arg) => arg.includes("\0")),
      "a program and its arguments"
    ),
  hostname: (value: string) =>
    expect("hostname", value, patterns.hostname.test(value), "1 to 63 of a-z, 0-9 and -, as in RFC 1123"),
  workspaceKind: (kind: WorkspaceKind) =>
    expect("workspace", kind, kind === "disk" || kind === "memory", "disk or memory"),
  cpus: (input: CpuLimit.CpuLimitInput): number =>
    Result.getOrElse(CpuLimit.parse(input), (expectation) => {
      refuse("cpus", input, expectation)
      return 0
    }),
  bytes: (field: string, input: ByteSize.ByteSizeInput, least: number): number => {
    const bytes = ByteSize.parse(input)
    if (Result.isFailure(bytes)) {
      refuse(field, input, bytes.failure)
      return 0
    }
    if (bytes.success < least) refuse(field, input, `at least ${ByteSize.format(least)}`)
    return bytes.success
  },
  count: (field: string, value: number, least: number, most: number) =>
    expect(
      field,
      value,
      Number.isInteger(value) && value >= least && value <= most,
      `a whole number from ${least} to ${most}`
    ),
  grace: (input: Duration.Input): number => {
    const millis = Option.match(Duration.fromInput(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })
    const valid = Number.isInteger(millis) && millis >= 0 && millis <= maxGraceMillis
    if (!valid) refuse("stopGrace", input, "a duration of whole milliseconds up to 10 minutes")
    return valid ? millis : 0
  }
})

const checkLoosening = (loosening: Loosening, expect: Expect): Loosening => {
  for (const name of loosening.capabilities ?? []) {
    expect(
      "loosening.capabilities",
      name,
      capabilities.includes(name),
      "a capability's name without CAP_, e.g. NET_RAW"
    )
  }
  if (loosening.user !== undefined) {
    expect(
      "loosening.user",
      loosening.user,
      patterns.user.test(loosening.user),
      "a user or user:group, by name or number"
    )
  }
  for (const bind of loosening.binds ?? []) {
    expect(
      "loosening.binds.source",
      bind.source,
      bind.source === "/" || patterns.path.test(bind.source),
      "an absolute path of the host"
    )
    expect("loosening.binds.target", bind.target, patterns.path.test(bind.target), "an absolute path inside")
  }
  return loosening
}
