/**
 * The script that stops an unused private engine. A shell script and not node: it lives as long as the engine, so it must be
 * small and must not depend on our own files. If it is killed, the engine lives on and the next `up` starts another.
 */

/**
 * Positional arguments: engine id, run root, engine home, idle limit (s), poll interval (s).
 *
 * Activity: a held lease, a process in any of the engine's container cgroups, a connected client socket, or a new `used` stamp.
 * It is started before the daemon, whose `engine.id` it awaits for 30 s. The wait for its own lock outlasts a child of a killed one.
 * The stop takes the starters' lock and then every lease, so that no client can slip in between the check and the stop.
 */
export const supervisorScript = `set -u
id=$1 run=$2 home=$3 limit=$4 poll=$5
exec 9>"$run/supervisor.lock"
flock -w 1 9 || exit 0
left=300
while [ ! -e "$run/engine.id" ] && [ "$left" -gt 0 ]; do sleep 0.1 9>&-; left=$((left - 1)); done
read -r pid start 2>/dev/null <"$run/engine.id" || exit 0

alive() {
  read -r stat </proc/$pid/stat || return 1
  stat=\${stat##*) }
  set -- $stat
  [ "$1" != Z ] && [ "\${20}" = "$start" ]
} 2>/dev/null
containers() {
  for d in /sys/fs/cgroup/sbx-$id /sys/fs/cgroup/*/sbx-$id; do
    [ -d "$d" ] && [ -n "$(find "$d" -name cgroup.procs -exec cat {} + 2>/dev/null)" ] && return 0
  done
  return 1
}
connected() { grep -q "0001 03 *[0-9]* $run/docker.sock$" /proc/$pid/net/unix 2>/dev/null; }
now() { read -r up rest </proc/uptime; echo "\${up%.*}"; }

last=$(now) stamp=
while alive; do
  sleep "$poll" 9>&-
  used=$(stat -c %.Y "$run/used" 2>/dev/null || echo none)
  if [ "$used" != "$stamp" ] || containers || connected || ! flock -n -x "$home/lease" true 9>&-; then
    stamp=$used last=$(now)
    continue
  fi
  [ $(($(now) - last)) -ge "$limit" ] || continue
  exec 8>>"$home/lock" 7>>"$home/lease"
  if flock -n 8 && flock -n -x 7 && [ "$(stat -c %.Y "$run/used" 2>/dev/null || echo none)" = "$stamp" ] && ! containers && ! connected; then
    break
  fi
  exec 8>&- 7>&-
done

if alive; then
  kill -TERM "$pid"
  left=200
  while alive && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
  for environ in $(grep -lz "^SBX_ENGINE_ID=$id$" /proc/[0-9]*/environ 2>/dev/null); do
    other=\${environ#/proc/} other=\${other%/environ}
    [ "$other" = $$ ] || kill -KILL "$other" 2>/dev/null
  done
  for d in /sys/fs/cgroup/sbx-$id /sys/fs/cgroup/*/sbx-$id; do
    [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} + 2>/dev/null
  done
  rm -rf "$run"
fi
`
