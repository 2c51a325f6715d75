/**
 * What a reader and a registry find in a package: README.md (its length is judged with the other files), LICENSE, and a manifest
 * that names its license, its Node, and `effect` as a range, since a peer pinned to one version cannot be shared.
 */
import type { Finding } from "../Finding.ts"
import type { Package, Repository } from "../Repository.ts"

export const check = (repository: Repository): ReadonlyArray<Finding> => {
  const paths = new Set(repository.files.map(({ path }) => path))
  return repository.packages.flatMap((one) => [
    ...(/^(packages|apps)\//.test(one.folder) ? documents(one, paths) : []),
    ...manifest(one)
  ])
}

function documents({ folder }: Package, paths: ReadonlySet<string>): ReadonlyArray<Finding> {
  return ["README.md", "LICENSE"]
    .filter((name) => !paths.has(`${folder}/${name}`))
    .map((name) => ({ path: `${folder}/${name}`, line: 1, rule: "package-document", message: "is not there" }))
}

function manifest({ folder, license, node, peers }: Package): ReadonlyArray<Finding> {
  const at = (message: string): Finding => ({ path: `${folder}/package.json`, line: 1, rule: "manifest", message })
  const range = peers["effect"]
  return [
    ...(license === undefined ? [at("names no license")] : []),
    ...(node === undefined ? [at("names no Node in engines")] : []),
    // A catalog entry is written out as it stands there, and ours are exact.
    ...(range === undefined || range.startsWith("^") ? [] : [at(`peer effect is "${range}", expected a caret range`)])
  ]
}
