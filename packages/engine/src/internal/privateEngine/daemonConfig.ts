/** The private engine's own `daemon.json`. With it dockerd reads neither `/etc/docker/daemon.json` nor flags of the host's unit. */
import * as Schema from "effect/Schema"
import type { EnginePaths } from "./enginePaths.ts"

const DaemonConfig = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json))
const encode = Schema.encodeSync(DaemonConfig)

/** Text of the configuration (dockerd(8)). The storage driver is missing here: the start script finds out what works. */
export const daemonConfig = (paths: EnginePaths): string =>
  encode({
    "data-root": paths.dataRoot,
    "exec-root": paths.execRoot,
    pidfile: `${paths.run}/docker.pid`,
    hosts: [`unix://${paths.socket}`],
    // Root only: membership of a `docker` group is a root shell, and nobody was asked for that.
    group: "root",
    "cgroup-parent": `/sbx-${paths.id}`,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    // Lowering the score needs CAP_SYS_RESOURCE, which nested and hardened hosts lack; 0 needs nothing.
    "oom-score-adjust": 0,
    "log-level": "warn",
    // No proxy process a port: nothing but the engine's own namespace can reach the ports.
    "userland-proxy": false,
    // The default pools end after 31 bridge networks; these give 1,024 of 254 addresses.
    "default-address-pools": [{ base: "10.200.0.0/14", size: 24 }]
  })
