import { assert, describe, it } from "@effect/vitest"
import * as ImageRecipe from "../src/ImageRecipe.ts"
import { busyboxEntries } from "../src/internal/privateEngine/busyboxImage.ts"
import { writeTar } from "../src/internal/privateEngine/tarWriter.ts"
import { base } from "../src/recipes/Base.ts"
import { tiny } from "../src/recipes/Tiny.ts"

const small: ImageRecipe.ImageRecipe = {
  name: "small",
  base: "debian",
  packages: ["python3", "git"],
  files: [{ path: "/etc/motd", mode: 0o644, content: "hello" }],
  users: { firstUid: 100_000, count: 2, home: "/workspace", shell: "/bin/sh" },
  env: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" },
  workingDir: "/workspace",
  command: ["/bin/sh", "-c", 'echo "x"']
}

const goldenDockerfile = `# syntax=docker/dockerfile:1
# ${ImageRecipe.reference(small)}
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git python3
COPY <<'SBX_END' /sbx.passwd
sbx100000:x:100000:100000:sandbox:/workspace:/bin/sh
sbx100001:x:100001:100001:sandbox:/workspace:/bin/sh
SBX_END
COPY <<'SBX_END' /sbx.group
sbx100000:x:100000:
sbx100001:x:100001:
SBX_END
RUN cat /sbx.passwd >> /etc/passwd && rm /sbx.passwd && cat /sbx.group >> /etc/group && rm /sbx.group
COPY <<'SBX_END' /etc/motd
hello
SBX_END
RUN chmod 644 /etc/motd
RUN find "/" -xdev -perm /6000 -exec chmod ug-s {} + && rm -rf "/usr/share/doc"/* "/usr/share/man"/* "/usr/share/info"/* "/usr/share/locale"/* "/var/lib/apt/lists"/* "/var/cache"/* "/var/log"/* && mkdir -p "/workspace" && chmod 1777 "/workspace" "/tmp"
ENV LANG="C.UTF-8"
ENV PATH="/usr/bin:/bin"
WORKDIR /workspace
CMD ["/bin/sh","-c","echo \\"x\\""]
LABEL dev.sbx.recipe="small" dev.sbx.recipe.digest="${ImageRecipe.digest(small)}"
`

describe("ImageRecipe", () => {
  it("renders the same Dockerfile for the same recipe", () => {
    assert.strictEqual(ImageRecipe.toDockerfile(small), goldenDockerfile)
  })

  it("renders a busybox recipe as a build stage and an empty base", () => {
    const text = ImageRecipe.toDockerfile(tiny)
    assert.include(text, "busybox --list-full")
    assert.include(text, "FROM scratch\nCOPY --from=build /root-fs /\n")
    assert.strictEqual(text.match(/^sbx\d+:x:\d+:\d+:/gm)?.length, 256)
  })

  it("tags by a digest that does not depend on the order of keys", () => {
    const { name, ...rest } = small
    assert.strictEqual(ImageRecipe.digest({ ...rest, name }), ImageRecipe.digest(small))
    assert.match(ImageRecipe.reference(small), /^sbx\/small:[0-9a-f]{12}$/)
  })

  it("gives another tag to every change of a recipe", () => {
    const variants: ReadonlyArray<ImageRecipe.ImageRecipe> = [
      small,
      { ...small, packages: ["git", "python3"] },
      { ...small, env: { ...small.env, LANG: "C" } },
      { ...small, files: [] },
      { ...small, command: ["/bin/sh"] },
      { ...small, users: { ...small.users, count: 3 } },
      tiny,
      base
    ]
    assert.strictEqual(new Set(variants.map(ImageRecipe.reference)).size, variants.length)
  })
})

describe("busyboxEntries", () => {
  const applets = ["bin/ash", "bin/busybox", "bin/sh", "linuxrc", "usr/sbin/httpd"]
  const entries = busyboxEntries(tiny, new Uint8Array([1, 2, 3]), applets)
  const at = (path: string) => entries.find((entry) => entry.path === path)

  it("links every applet that has a folder to busybox", () => {
    assert.deepStrictEqual(
      entries.filter((entry) => entry.type === "symlink").map((entry) => entry.path),
      ["bin/ash", "bin/sh", "usr/sbin/httpd"]
    )
    assert.deepInclude(at("bin/sh"), { type: "symlink", target: "/bin/busybox" })
  })

  it("makes folders before what lies in them, world-writable ones sticky, and no setid file", () => {
    for (const [index, entry] of entries.entries()) {
      const parent = entry.path.split("/").slice(0, -1).join("/")
      if (parent !== "")
        assert.isTrue(
          entries.slice(0, index).some(({ path }) => path === parent),
          entry.path
        )
      if (entry.type !== "symlink") assert.strictEqual(entry.mode & 0o6000, 0, entry.path)
    }
    assert.deepInclude(at("workspace"), { type: "directory", mode: 0o1777 })
    assert.deepInclude(at("tmp"), { type: "directory", mode: 0o1777 })
  })
})

describe("writeTar", () => {
  it("writes the same bytes for the same entries, padded to whole blocks", () => {
    const entries = [{ type: "file", path: "a/b", mode: 0o644, content: new Uint8Array(513) }] as const
    const tar = writeTar(entries)
    assert.strictEqual(tar.length, 512 + 1024 + 1024)
    assert.deepStrictEqual(writeTar(entries), tar)
    assert.strictEqual(new TextDecoder().decode(tar.slice(257, 265)), "ustar\u000000")
  })

  it("refuses a name that ustar cannot hold", () => {
    assert.throws(() => writeTar([{ type: "directory", path: "x".repeat(100), mode: 0o755 }]), RangeError)
  })
})
