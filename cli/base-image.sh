#!/bin/sh
# Builds the base of deployments' images, acme-base:bookworm, on a machine that reaches Debian's packages but no container
# registry: Debian 12 with Node.js and npm as they are on this machine. Run it as root; it needs debootstrap and Docker.
set -eu
NAME=acme-base:bookworm
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
NODE=${NODE:-$(node -p 'fs.realpathSync(process.execPath)')}
NPM=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")

if docker image inspect "$NAME" >/dev/null 2>&1; then
  echo "$NAME exists already. To build it again, first run: docker image rm $NAME"
  exit 0
fi
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }
[ -f "$NPM/bin/npm-cli.js" ] || { echo "npm was not found at $NPM" >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$MIRROR" >"$root.log" 2>&1 || {
  tail -20 "$root.log" >&2
  exit 1
}
rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man
mkdir -p "$root/usr/local/lib/node_modules"
cp "$NODE" "$root/usr/local/bin/node"
cp -a "$NPM" "$root/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
# A network that inspects TLS uses its own certificates, which this machine trusts.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
tar -C "$root" -c . | docker import \
  -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - "$NAME" >/dev/null
echo "Built $NAME"
