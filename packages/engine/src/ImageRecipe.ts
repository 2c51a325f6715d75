/**
 * A container image as data: name, packages, files. Two builders read it: `ImageBuilder` (the distribution's packages, no registry)
 * and `toDockerfile`. Refuses what would weaken a sandbox: no image carries a setuid or setgid file.
 */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"

const AbsolutePath = Schema.String.check(Schema.isPattern(/^\/[^\0]*$/))

export const RecipeFile = Schema.Struct({
  path: AbsolutePath,
  /** Permission bits; 0o7000 bits are refused. */
  mode: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0o777 })),
  content: Schema.String
})

/** Accounts for sandbox processes: one passwd and group entry for each uid of the range, gid = uid. */
export const RecipeUsers = Schema.Struct({
  firstUid: Schema.Int,
  count: Schema.Int,
  home: AbsolutePath,
  shell: AbsolutePath
})

export const ImageRecipe = Schema.Struct({
  name: Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,30}$/)),
  /** `busybox`: nothing but the static busybox and links for all its applets. `debian`: minimal Debian and `packages`. */
  base: Schema.Literals(["busybox", "debian"]),
  /** Package names, without recommends; must be empty for `busybox`. */
  packages: Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9+.-]+$/))),
  files: Schema.Array(RecipeFile),
  users: RecipeUsers,
  env: Schema.Record(Schema.String, Schema.String),
  workingDir: AbsolutePath,
  command: Schema.Array(Schema.String)
})
export type ImageRecipe = typeof ImageRecipe.Type

/** Raised when a change of the builders must give new tags for unchanged recipes. */
const formatVersion = 1

/**
 * Uids 100000–165535 may be leased to sandboxes; the first 256 have names. The others work too, but programs that look up their
 * own name (`whoami`, python's `getpass`) fail for them.
 */
export const sandboxUsers: typeof RecipeUsers.Type = {
  firstUid: 100_000,
  count: 256,
  home: "/workspace",
  shell: "/bin/sh"
}

export const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const canonical = (value: Schema.Json): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${quote(key)}:${canonical(item ?? null)}`)
      .join(",")}}`
  }
  return typeof value === "string" ? quote(value) : String(value)
}

const quote = Schema.encodeSync(Schema.fromJsonString(Schema.String))
const quoteList = Schema.encodeSync(Schema.fromJsonString(Schema.Array(Schema.String)))

/** SHA-256 (hex) of the recipe with sorted keys, and of the builders' format version. */
export const digest = (recipe: ImageRecipe): string =>
  createHash("sha256")
    .update(`${formatVersion}\n${canonical(Schema.encodeSync(ImageRecipe)(recipe))}`)
    .digest("hex")

/** `sbx/<name>:<first 12 digits of the digest>`: a changed recipe is another tag, so an existing tag is never rebuilt. */
export const reference = (recipe: ImageRecipe): string => `sbx/${recipe.name}:${digest(recipe).slice(0, 12)}`

const range = (users: typeof RecipeUsers.Type): ReadonlyArray<number> =>
  Array.from({ length: users.count }, (_, index) => users.firstUid + index)

/** Lines for `/etc/passwd` (passwd(5)), sandbox accounts only. */
export const passwdLines = ({ users }: ImageRecipe): string =>
  range(users)
    .map((uid) => `sbx${uid}:x:${uid}:${uid}:sandbox:${users.home}:${users.shell}\n`)
    .join("")

/** Lines for `/etc/group` (group(5)), sandbox groups only. */
export const groupLines = ({ users }: ImageRecipe): string =>
  range(users)
    .map((uid) => `sbx${uid}:x:${uid}:\n`)
    .join("")

/** Image configuration as Dockerfile instructions, in the form that an import takes as `changes`. Keys sorted. */
export const changes = (recipe: ImageRecipe): ReadonlyArray<string> => [
  ...Object.entries(recipe.env)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `ENV ${key}=${quote(value)}`),
  `WORKDIR ${recipe.workingDir}`,
  `CMD ${quoteList(recipe.command)}`,
  `LABEL dev.sbx.recipe=${quote(recipe.name)} dev.sbx.recipe.digest=${quote(digest(recipe))}`
]

/** Removes setuid and setgid bits and what a sandbox never reads, beneath `root` (no trailing slash; empty for `/`). */
export const slimCommands = (root: string): ReadonlyArray<string> => [
  `find "${root}/" -xdev -perm /6000 -exec chmod ug-s {} +`,
  `rm -rf ${["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/lib/apt/lists", "var/cache", "var/log"].map((path) => `"${root}/${path}"/*`).join(" ")}`,
  `mkdir -p "${root}/workspace"`,
  `chmod 1777 "${root}/workspace" "${root}/tmp"`
]

const heredoc = (path: string, content: string): string => {
  const body = content.endsWith("\n") || content === "" ? content : `${content}\n`
  return `COPY <<'SBX_END' ${path}\n${body}SBX_END`
}

const fileInstructions = (recipe: ImageRecipe, root: string): ReadonlyArray<string> =>
  recipe.files.flatMap(({ path, mode, content }) => [
    heredoc(`${root}${path}`, content),
    `RUN chmod ${mode.toString(8)} ${root}${path}`
  ])

const accounts = `RUN ${["passwd", "group"]
  .map((file) => `cat /sbx.${file} >> /etc/${file} && rm /sbx.${file}`)
  .join(" && ")}`

const installInstruction = (packages: ReadonlyArray<string>): string =>
  `RUN apt-get update && apt-get install --yes --no-install-recommends ${packages.toSorted().join(" ")}`

const busyboxInstructions = (recipe: ImageRecipe): ReadonlyArray<string> => [
  "FROM debian:bookworm-slim AS build",
  installInstruction(["busybox-static"]),
  "RUN mkdir -p /root-fs/bin /root-fs/etc /root-fs/tmp && cp /bin/busybox /root-fs/bin/busybox",
  "RUN cd /root-fs && for a in $(/bin/busybox --list-full); do mkdir -p $(dirname $a); [ -e $a ] || ln -s /bin/busybox $a; done",
  heredoc("/root-fs/etc/passwd", systemPasswd + passwdLines(recipe)),
  heredoc("/root-fs/etc/group", systemGroup + groupLines(recipe)),
  ...fileInstructions(recipe, "/root-fs"),
  `RUN ${slimCommands("/root-fs").join(" && ")}`,
  "FROM scratch",
  "COPY --from=build /root-fs /"
]

const debianInstructions = (recipe: ImageRecipe): ReadonlyArray<string> => [
  "FROM debian:bookworm-slim",
  installInstruction(recipe.packages),
  heredoc("/sbx.passwd", passwdLines(recipe)),
  heredoc("/sbx.group", groupLines(recipe)),
  accounts,
  ...fileInstructions(recipe, ""),
  `RUN ${slimCommands("").join(" && ")}`
]

/** Accounts of a busybox image besides the sandboxes'. */
export const systemPasswd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
export const systemGroup = "root:x:0:\nnogroup:x:65534:\n"

/**
 * The recipe as a Dockerfile for BuildKit (heredocs need `docker/dockerfile:1`). Needs a registry; not built by our own tests, which
 * check the text only.
 */
export const toDockerfile = (recipe: ImageRecipe): string =>
  [
    "# syntax=docker/dockerfile:1",
    `# ${reference(recipe)}`,
    ...(recipe.base === "busybox" ? busyboxInstructions(recipe) : debianInstructions(recipe)),
    ...changes(recipe),
    ""
  ].join("\n")
