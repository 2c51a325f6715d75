/** What can go wrong when programs are taken from the host's distribution. Callers route on `_tag`; the text is for people. */
import type * as PlatformError from "effect/PlatformError"
import * as Schema from "effect/Schema"
import type { LockTimeout } from "./internal/privateEngine/fileLock.ts"

/** The host has no apt: sbx takes packages from Debian and its derivatives only. */
export class NotDebian extends Schema.TaggedError<NotDebian>()("NotDebian", {
  program: Schema.String,
  requested: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not take ${this.requested.join(", ")} from the distribution: there is no ${this.program}.\nInstall these programs with your package manager, or set DOCKER_HOST to a running engine.`
  }
}

/** No source of the distribution answered and no list from an earlier time is there. */
export class NoPackageSource extends Schema.TaggedError<NoPackageSource>()("NoPackageSource", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not read the distribution's package lists: ${this.detail}.\nCheck the network and /etc/apt/sources.list*, then try \`apt-get update\`.`
  }
}

/** The distribution lacks a package, or its dependencies cannot be met. `detail` is apt's own words. */
export class PackageUnavailable extends Schema.TaggedError<PackageUnavailable>()("PackageUnavailable", {
  requested: Schema.Array(Schema.String),
  detail: Schema.String
}) {
  override get message() {
    return `Could not resolve ${this.requested.join(", ")}: ${this.detail}.\nCheck that /etc/apt/sources.list* names the distribution's main component.`
  }
}

/** A download or an unpacking broke off; what was complete is kept, the prefix is untouched. */
export class PackageFetchFailed extends Schema.TaggedError<PackageFetchFailed>()("PackageFetchFailed", {
  step: Schema.Literals(["download", "unpack"]),
  detail: Schema.String
}) {
  override get message() {
    return `Could not ${this.step} packages: ${this.detail}.\nCheck the network and the free disk space, then repeat the command: it goes on where it stopped.`
  }
}

/** Taking packages was forbidden (`--no-install`). */
export class InstallRefused extends Schema.TaggedError<InstallRefused>()("InstallRefused", {
  requested: Schema.Array(Schema.String),
  missing: Schema.Array(Schema.String),
  /** Exact commands, in order. */
  commands: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not use ${this.requested.join(", ")}: not present, and taking packages was refused.\nRun:\n${this.commands.map((command) => `  ${command}`).join("\n")}\nor repeat without --no-install: sbx then unpacks them into a folder of its own and starts no service.`
  }
}

export type PackagesError =
  | NotDebian
  | NoPackageSource
  | PackageUnavailable
  | PackageFetchFailed
  | InstallRefused
  | LockTimeout
  | PlatformError.PlatformError
