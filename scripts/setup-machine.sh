#!/usr/bin/env bash
# Installs what the tests need besides npm packages: Docker with CRIU, a container registry, a real Postgres, Chromium and Prometheus' promtool. As root, on Debian.
# Takes a second or two on a machine that already has all of this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

packages=()
command -v git >/dev/null || packages+=(git)
command -v setpriv >/dev/null || packages+=(util-linux)
command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || packages+=(postgresql)
command -v debootstrap >/dev/null || packages+=(debootstrap)
command -v promtool >/dev/null || packages+=(prometheus)
command -v docker-registry >/dev/null || packages+=(docker-registry)
command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || packages+=(chromium-headless-shell)
if [ ${#packages[@]} -gt 0 ]; then
  echo "Installing ${packages[*]}…"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

"$here/setup-docker.sh"
