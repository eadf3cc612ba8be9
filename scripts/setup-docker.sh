#!/usr/bin/env bash
# Installs and starts a Docker Engine with process checkpoints (CRIU) on a Debian machine. Needs root. Takes a second if it is already running.
#   - Debian 12's own CRIU (3.17) fails on current kernels, so Debian 13's is installed beside it, with its own libraries.
#   - CRIU cannot dump io_uring, which Node's event loop opens, so it is switched off for the machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
criu_root=${CRIU_ROOT:-/opt/criu-root}

if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null || ! command -v iptables >/dev/null; then
  echo "Installing Docker Engine…"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    docker.io debootstrap iptables ca-certificates >/dev/null
fi

if [ ! -x "$criu_root/usr/sbin/criu" ]; then
  echo "Installing CRIU…"
  mirror=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  log=$(mktemp)
  debootstrap --variant=minbase --include=criu trixie "$criu_root" "${mirror:-http://deb.debian.org/debian}" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; echo "CRIU could not be installed. The last lines of debootstrap are above." >&2; exit 1; }
  rm -f "$log"
fi
loader=$(ls -d "$criu_root"/lib*/ld-linux-*.so.* | head -n 1)
libraries=$(uname -m)-linux-gnu
criu="$loader --library-path $criu_root/lib/$libraries:$criu_root/usr/lib/$libraries $criu_root/usr/sbin/criu"
# The user of the containers (CONTAINER_USER in runtime-image.ts).
user=65532
if (((0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 24) & 1)); then
  run="exec $criu \"\$@\""
else
  # Root without CAP_SYS_RESOURCE, as in some virtual machines, may read the limits of another user's process only if its
  # real user is that user. So CRIU runs with the real user of the containers. The programs that CRIU starts refuse to work
  # like that, so they get their real user back. The netfilter library refuses too, so what CRIU finds out through it about
  # the kernel is found out here, without that user, and kept.
  tools=$criu_root/acme-bin
  mkdir -p "$tools"
  for tool in iptables iptables-restore ip6tables ip6tables-restore; do
    printf '#!/usr/bin/env -S setpriv --reuid=0 --regid=0 --keep-groups /bin/sh\nexec %s "$@"\n' \
      "$(PATH=/usr/sbin:/sbin:$PATH command -v $tool)" >"$tools/$tool"
    chmod +x "$tools/$tool"
  done
  if [ ! -s /run/criu.kdat ]; then
    kept=$(mktemp)
    # CRIU keeps this cache in /run only if that is in memory.
    if unshare -m sh -c "mount -t tmpfs tmpfs /run && $criu check >/dev/null 2>&1; cat /run/criu.kdat" >"$kept"; then
      mv "$kept" /run/criu.kdat
    else
      # There is no result to keep; the check at the end prints CRIU's reason.
      rm -f "$kept"
    fi
  fi
  run="PATH=$tools:\$PATH exec setpriv --ruid $user --rgid $user --keep-groups $criu \"\$@\""
fi

# Some virtual machines do not deliver the hardware breakpoints that CRIU sets: every dump hangs there for ever. CRIU_FAULT=130
# makes CRIU do without, which is slower, so it is set only where it is needed (docs/decisions/0013). A probe is valid for
# one boot: it takes 15 s where breakpoints are missing.
boot=$(cat /proc/sys/kernel/random/boot_id)
known=/run/acme-criu-probe
write_criu() { # write_criu FILE LINES
  printf '#!/bin/sh\n%s\n' "$2" >"$1.new"
  chmod +x "$1.new"
  mv "$1.new" "$1"
}
if ! grep -qs "^$boot " "$known"; then
  trial=$(mktemp)
  write_criu "$trial" "$run"
  echo "$boot $("$here/probe-criu.sh" "$trial" "$user")" >"$known"
  rm -f "$trial"
fi
case $(cut -d ' ' -f 2 "$known") in
  no-breakpoints)
    run="export CRIU_FAULT=130"$'\n'"$run"
    echo "This machine delivers no hardware breakpoints: CRIU runs with CRIU_FAULT=130."
    ;;
  hangs) echo "CRIU hangs on this machine, even without hardware breakpoints: runs are replayed." >&2 ;;
  fails) echo "CRIU could not save a small process: runs are replayed. Its reason is above, or remove $known and run this again." >&2 ;;
esac
write_criu /usr/local/sbin/criu "$run"

[ -c /dev/net/tun ] || { mkdir -p /dev/net; mknod /dev/net/tun c 10 200; }
[ "$(sysctl -n kernel.io_uring_disabled 2>/dev/null || echo 2)" = 2 ] || sysctl -qw kernel.io_uring_disabled=2

if ! docker info >/dev/null 2>&1; then
  echo "Starting dockerd…"
  # The pid file of a dockerd that was killed keeps a new one from starting.
  pid=$(cat /var/run/docker.pid 2>/dev/null || true)
  if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then rm -f /var/run/docker.pid; fi
  setsid dockerd --experimental >/var/log/acme-dockerd.log 2>&1 </dev/null &
  for _ in $(seq 120); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
fi
docker info >/dev/null 2>&1 || { tail -n 20 /var/log/acme-dockerd.log >&2; echo "dockerd does not answer. The last lines of its log are above." >&2; exit 1; }
docker info --format 'Docker {{.ServerVersion}}, experimental {{.ExperimentalBuild}}'
$criu check || echo "CRIU does not work on this kernel: containers run, but they can't be saved." >&2
