/** What the private engine may not do to its host. These tests compare the machine before and after: no other file runs beside. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ownedProcesses } from "../src/internal/privateEngine/processes.ts"
import { loadTiny, ownEngine, pidOf, prepare, removeEngines, removeTar, sh, sleeper } from "./privateEngineHarness.ts"

beforeAll(() => Effect.runPromise(prepare), 180_000)
afterAll(async () => {
  await removeEngines()
  removeTar()
}, 60_000)

const listing = (path: string): ReadonlyArray<string> => (existsSync(path) ? readdirSync(path).toSorted() : [])

/** What an engine could change in the host's own namespaces; things that other programs change meanwhile are left out. */
const hostFacts = () => ({
  interfaces: listing("/sys/class/net"),
  routes: readFileSync("/proc/net/route", "utf8"),
  rules: existsSync("/proc/net/ip_tables_names") ? readFileSync("/proc/net/ip_tables_names", "utf8") : "",
  forwarding: readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8"),
  mounts: readFileSync("/proc/self/mountinfo", "utf8").split("\n").length,
  // What a system-wide docker.io creates: configuration, state, sockets, units, links of the rc levels.
  etc: listing("/etc"),
  docker: ["/etc/docker", "/var/lib/docker", "/var/lib/containerd", "/run/docker", "/opt"].map(listing),
  opt: listing("/opt/containerd"),
  units: ["/etc/systemd/system", "/lib/systemd/system", "/etc/init.d", "/etc/rc2.d", "/etc/rc3.d"].map(listing),
  dpkg: readFileSync("/var/lib/dpkg/status", "utf8").length,
  aptLists: listing("/var/lib/apt/lists")
})

describe("PrivateEngine and its host", () => {
  it.live("changes no interface, rule, mount, service, package or list of the host", () =>
    Effect.gen(function* () {
      const { paths, use } = ownEngine("host")
      const before = hostFacts()
      const rules = firewallRules(yield* prepare)
      const rulesBefore = rules()
      yield* use((service) => service.up())
      yield* loadTiny(paths.socket)
      yield* sleeper(paths.socket)
      assert.deepStrictEqual(hostFacts(), before)
      assert.strictEqual(rules(), rulesBefore)
      // The look itself can see: the engine's own namespace does have docker's chains.
      assert.include(rules(yield* pidOf(paths.id, "dockerd --config-file")), ":DOCKER ")
      yield* use((service) => service.down())
      assert.deepStrictEqual(hostFacts(), before)
    })
  )

  it.live("keeps every process but the supervisor out of the host's network and mount namespaces", () =>
    Effect.gen(function* () {
      const { paths, use } = ownEngine("host")
      yield* use((service) => service.up())
      const inHost = (kind: string) =>
        Effect.map(ownedProcesses(paths.id), (owned) =>
          owned
            .filter(({ pid }) => readlinkSync(`/proc/${pid}/ns/${kind}`) === readlinkSync(`/proc/self/ns/${kind}`))
            .map(({ command }) => command)
            // The supervisor is a shell that sleeps: it can hold no socket.
            .filter((command) => !command.includes("supervisor.sh") && !command.startsWith("sleep "))
        )
      assert.deepStrictEqual(yield* inHost("net"), [])
      assert.deepStrictEqual(yield* inHost("mnt"), [])
      const own = readFileSync(`/proc/${yield* pidOf(paths.id, "dockerd --config-file")}/net/dev`, "utf8")
      assert.match(own, /docker0:/)
    })
  )

  it.live("opens its socket to root only", () =>
    Effect.gen(function* () {
      const { paths, use } = ownEngine("host")
      yield* use((service) => service.up())
      assert.match(sh('stat -c "%a %U:%G" "$1"', paths.socket), /^660 root:root$/m)
    })
  )
})

/** nft and legacy rules of the host's network namespace, or of a process's. */
const firewallRules =
  (prefix: string) =>
  (pid = process.pid): string => {
    const each = 'for t in "$1"/usr/sbin/iptables-nft-save "$1"/usr/sbin/iptables-legacy-save'
    const inside = `${each}; do nsenter --target "$2" --net "$t" 2>/dev/null | grep -v "^#"; done; true`
    return sh(`export LD_LIBRARY_PATH="$(echo "$1"/usr/lib/*-linux-gnu*)"; ${inside}`, prefix, String(pid))
  }
