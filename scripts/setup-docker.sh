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
if [ ! -x /usr/local/sbin/criu ]; then
  loader=$(ls -d "$criu_root"/lib*/ld-linux-*.so.* | head -n 1)
  libraries=$(uname -m)-linux-gnu
  cat >/usr/local/sbin/criu <<CRIU
#!/bin/sh
exec $loader --library-path $criu_root/lib/$libraries:$criu_root/usr/lib/$libraries $criu_root/usr/sbin/criu "\$@"
CRIU
  chmod +x /usr/local/sbin/criu
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
criu check || echo "CRIU does not work on this kernel: containers run, but can't be checkpointed." >&2
