#!/usr/bin/env bash
# Brings up a Docker Engine with process checkpoints (CRIU) on a Debian machine, as root. Takes a second where it is up.
#   - Debian 12's own criu (3.17) fails on current kernels: the one of Debian 13 runs with its own libraries beside it.
#   - CRIU cannot dump io_uring, which Node's event loop opens: it is switched off for the machine.
set -euo pipefail
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
    { tail -n 20 "$log"; echo "CRIU could not be installed; what came before is above." >&2; exit 1; }
  rm -f "$log"
fi
loader=$(ls -d "$criu_root"/lib*/ld-linux-*.so.* | head -n 1)
libraries=$(uname -m)-linux-gnu
criu="$loader --library-path $criu_root/lib/$libraries:$criu_root/usr/lib/$libraries $criu_root/usr/sbin/criu"
install_criu() { # install_criu SHELL-LINES
  printf '#!/bin/sh\n%s\n' "$1" >/usr/local/sbin/criu.new
  chmod +x /usr/local/sbin/criu.new
  mv /usr/local/sbin/criu.new /usr/local/sbin/criu
}
if (((0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 24) & 1)); then
  install_criu "exec $criu \"\$@\""
else
  # Root without CAP_SYS_RESOURCE, as in some virtual machines, may not read the limits of another user's process, unless
  # its real user is that user. So criu runs with the real user of the containers (CONTAINER_USER in runtime-image.ts).
  # What it starts refuses to work like that and gets its real user back; what it finds out about the kernel by the
  # netfilter library, which refuses too, is found out beforehand and kept.
  user=65532
  tools=$criu_root/acme-bin
  mkdir -p "$tools"
  for tool in iptables iptables-restore ip6tables ip6tables-restore; do
    printf '#!/usr/bin/env -S setpriv --reuid=0 --regid=0 --keep-groups /bin/sh\nexec %s "$@"\n' \
      "$(PATH=/usr/sbin:/sbin:$PATH command -v $tool)" >"$tools/$tool"
    chmod +x "$tools/$tool"
  done
  if [ ! -s /run/criu.kdat ]; then
    kept=$(mktemp)
    # criu keeps it in /run only where that is in memory.
    if unshare -m sh -c "mount -t tmpfs tmpfs /run && $criu check >/dev/null 2>&1; cat /run/criu.kdat" >"$kept"; then
      mv "$kept" /run/criu.kdat
    else
      # Nothing to keep: criu says below why.
      rm -f "$kept"
    fi
  fi
  install_criu "PATH=$tools:\$PATH exec setpriv --ruid $user --rgid $user --keep-groups $criu \"\$@\""
fi

[ -c /dev/net/tun ] || { mkdir -p /dev/net; mknod /dev/net/tun c 10 200; }
[ "$(sysctl -n kernel.io_uring_disabled 2>/dev/null || echo 2)" = 2 ] || sysctl -qw kernel.io_uring_disabled=2

if ! docker info >/dev/null 2>&1; then
  echo "Starting dockerd…"
  # The file of a dockerd that was killed would stop a new one.
  pid=$(cat /var/run/docker.pid 2>/dev/null || true)
  if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then rm -f /var/run/docker.pid; fi
  setsid dockerd --experimental >/var/log/acme-dockerd.log 2>&1 </dev/null &
  for _ in $(seq 120); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
fi
docker info >/dev/null 2>&1 || { tail -n 20 /var/log/acme-dockerd.log >&2; echo "dockerd does not answer." >&2; exit 1; }
docker info --format 'Docker {{.ServerVersion}}, experimental {{.ExperimentalBuild}}'
$criu check || echo "CRIU does not work on this kernel: containers run, but can't be checkpointed." >&2
