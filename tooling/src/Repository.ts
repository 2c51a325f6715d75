/**
 * The repository as values: text files, and packages with what they declare. Generated folders, dependencies, binary files
 * and deliberately bad fixtures are left out. Read without git, so that an unpacked archive is checked the same way.
 */
import * as fs from "node:fs"
import * as path from "node:path"

export interface TextFile {
  /** Relative to the root, with `/`. */
  readonly path: string
  readonly text: string
}

export interface Package {
  readonly name: string
  /** Relative to the root: `packages/core`. */
  readonly folder: string
  /** Names of dependencies, peer dependencies and optional dependencies. */
  readonly runtime: ReadonlyArray<string>
  readonly development: ReadonlyArray<string>
  readonly scripts: ReadonlyArray<string>
  readonly license: string | undefined
  /** `engines.node`. */
  readonly node: string | undefined
  /** Name to range, as written. */
  readonly peers: Readonly<Record<string, string>>
}

export interface Repository {
  readonly files: ReadonlyArray<TextFile>
  readonly packages: ReadonlyArray<Package>
}

const skippedFolders = new Set([
  "node_modules",
  "dist",
  "reports",
  "coverage",
  ".git",
  ".turbo",
  ".sbx",
  ".vitest",
  // Where tests unpack snippets.
  ".tmp",
  // Deliberately bad code.
  "tooling/fixtures"
])

/** Where the workspace's packages lie (pnpm-workspace.yaml); a package.json elsewhere is somebody's test data. */
const packageManifest = /^(?:(?:packages|apps)\/[^/]+|tooling|examples)\/package\.json$/

/** Reads everything below the root. Dies on a package.json that is no object. */
export const load = (root: string): Repository => {
  const files = listFiles(root).flatMap((name) => {
    const text = fs.readFileSync(path.join(root, name), "utf8")
    return text.includes("\0") ? [] : [{ path: name, text }]
  })
  const packages = files
    .filter((file) => packageManifest.test(file.path))
    .map((file) => readPackage(path.posix.dirname(file.path), file.text))
  return { files, packages }
}

/** TypeScript files, declarations left out. */
export const sources = (repository: Repository): ReadonlyArray<TextFile> =>
  repository.files.filter((file) => /\.m?ts$/.test(file.path) && !/\.d\.m?ts$/.test(file.path))

/** The package a file lies in. */
export const packageOf = (repository: Repository, file: string): Package | undefined =>
  repository.packages.find((candidate) => file.startsWith(`${candidate.folder}/`))

/** The path of a file inside its package: `src/Tree.ts`. */
export const within = (owner: Package, file: string): string => file.slice(owner.folder.length + 1)

function listFiles(root: string, below = ""): ReadonlyArray<string> {
  const entries = fs.readdirSync(path.join(root, below), { withFileTypes: true })
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = path.posix.join(below, entry.name)
      if (entry.isDirectory())
        return skippedFolders.has(entry.name) || skippedFolders.has(name) ? [] : listFiles(root, name)
      return entry.isFile() ? [name] : []
    })
}

function readPackage(folder: string, json: string): Package {
  const manifest: unknown = JSON.parse(json)
  const keys = (field: string) => Object.keys(objectAt(manifest, field))
  const text = (value: unknown) => (typeof value === "string" ? value : undefined)
  const textAt = (field: string) => (isObject(manifest) ? text(manifest[field]) : undefined)
  const texts = (field: string) =>
    Object.entries(objectAt(manifest, field)).filter((entry): entry is [string, string] => typeof entry[1] === "string")
  return {
    name: textAt("name") ?? folder,
    folder,
    runtime: [...keys("dependencies"), ...keys("peerDependencies"), ...keys("optionalDependencies")],
    development: keys("devDependencies"),
    scripts: keys("scripts"),
    license: textAt("license"),
    node: new Map(texts("engines")).get("node"),
    peers: Object.fromEntries(texts("peerDependencies"))
  }
}

function objectAt(value: unknown, field: string): object {
  const inner = isObject(value) ? value[field] : undefined
  return isObject(inner) ? inner : {}
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null
