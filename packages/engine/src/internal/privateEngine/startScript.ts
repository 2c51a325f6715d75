/**
 * The script that becomes the private `dockerd`. It runs inside fresh network and mount namespaces and ends in `exec`,
 * so its pid is the daemon's. It is a shell script because it must outlive the process that starts it.
 */

/**
 * Positional arguments: run root, engine home, package prefix.
 *
 * What the daemon would otherwise leave on the host is caught by private mounts: `/etc/docker/key.json`, `/opt/containerd`,
 * `/run/docker` and `/run/containerd/s` (shim sockets). Hiding `/run` also keeps dockerd from adopting the host's containerd,
 * which it does when `/run/containerd/containerd.sock` answers.
 */
export const startScript = `set -eu
run=$1 home=$2 prefix=$3 ns=$2/ns
fail() { echo "sbx: $*" >&2; echo "$*" >"$run/failed"; exit 1; }
mount -t tmpfs -o mode=0755 sbx-engine "$ns" || fail "the kernel refused a private tmpfs mount"
mkdir -p "$ns/bin" "$ns/run" "$ns/keep.run" "$ns/keep.home"
mount --bind "$run" "$ns/keep.run"
mount --bind "$home" "$ns/keep.home"
for d in etc opt; do
  mkdir "$ns/$d.upper" "$ns/$d.work"
  mount -t overlay overlay -o "lowerdir=/$d,upperdir=$ns/$d.upper,workdir=$ns/$d.work" "/$d" ||
    fail "the kernel has no usable overlay file system"
done
# dockerd keeps the key that is its ID in /etc/docker: a state of ours, so that the ID outlives a restart.
mkdir -p /etc/docker "$home/etc-docker"
mount --bind "$home/etc-docker" /etc/docker
mount --bind "$ns/run" /run
case $run in /run/*) mkdir -p "$run"; mount --bind "$ns/keep.run" "$run" ;; esac
case $home in /run/*) mkdir -p "$home"; mount --bind "$ns/keep.home" "$home" ;; esac

libs=
for d in "$prefix"/usr/lib/*-linux-gnu* "$prefix"/lib/*-linux-gnu*; do [ -d "$d" ] && libs=$libs:$d; done
[ -z "$libs" ] || export LD_LIBRARY_PATH="\${libs#:}"
for d in "$prefix"/usr/lib/*/xtables; do [ -d "$d" ] && export XTABLES_LIBDIR="$d"; done
PATH=$ns/bin:$prefix/usr/sbin:$prefix/usr/bin:$prefix/sbin:$prefix/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# Unpacked packages have no alternatives links; prefer the nft variant, fall back where the kernel has no nf_tables.
if ! command -v iptables >/dev/null; then
  variant=nft
  iptables-nft -w -nL >/dev/null 2>&1 || variant=legacy
  for t in iptables ip6tables; do
    for s in "" -save -restore; do ln -s "$(command -v $t-$variant$s)" "$ns/bin/$t$s"; done
  done
fi
busybox ip link set lo up || fail "the loopback interface could not be brought up"

probe=$home/data/.overlay-probe driver=overlay2
mkdir -p "$probe/l" "$probe/u" "$probe/w" "$probe/m"
if mount -t overlay overlay -o "lowerdir=$probe/l,upperdir=$probe/u,workdir=$probe/w" "$probe/m" 2>/dev/null; then
  umount "$probe/m"
else
  driver=vfs
fi
rm -rf "$probe"
echo "$driver" >"$run/storage-driver"

# Field 22 is the start time; the command name in field 2 is "sh" here, so no blank shifts the fields.
read -r stat </proc/$$/stat
set -- $stat
shift 21
echo "$$ $1" >"$run/engine.id.new"
mv "$run/engine.id.new" "$run/engine.id"
exec dockerd --config-file "$home/daemon.json" --storage-driver "$driver"
`
