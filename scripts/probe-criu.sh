#!/usr/bin/env bash
# probe-criu.sh CRIU [UID]: finds out whether this machine delivers the hardware breakpoints that CRIU relies on. Needs root.
# Dumps a small process of user UID (default 65532) with the program CRIU; each try has PROBE_SECONDS (default 15) to end.
# Prints one word:
#   breakpoints     the dump works as it is
#   no-breakpoints  the dump hangs, but works with CRIU_FAULT=130, which makes CRIU step by system call instead
#   hangs           the dump hangs either way
#   fails           CRIU reports an error, which is on standard error
set -uo pipefail
criu=$1
user=${2:-65532}
seconds=${PROBE_SECONDS:-15}
folder=$(mktemp -d)
victim=
trap '[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null; rm -rf "$folder"' EXIT

# try [VARIABLE=VALUE…]: 0 the dump worked, 124 it hung, anything else: CRIU failed.
try() {
  rm -rf "$folder/images"
  mkdir "$folder/images"
  # The process leads a session without a terminal, so CRIU has nothing else to save.
  setsid setpriv --reuid "$user" --regid "$user" --clear-groups sleep 600 </dev/null >/dev/null 2>&1 &
  victim=$!
  disown "$victim"
  # CRIU refuses a process that does not lead its session yet.
  for _ in $(seq 50); do
    [ "$(awk '{ print $6 }' "/proc/$victim/stat" 2>/dev/null)" = "$victim" ] && break
    sleep 0.02
  done
  # CRIU gets a process group of its own: past the deadline the group is killed, and nothing else.
  env "$@" setsid "$criu" dump -t "$victim" -D "$folder/images" -o dump.log >"$folder/output" 2>&1 </dev/null &
  local dump=$! waited=0 code
  while kill -0 "$dump" 2>/dev/null && [ "$waited" -lt $((seconds * 10)) ]; do
    sleep 0.1
    waited=$((waited + 1))
  done
  if kill -0 "$dump" 2>/dev/null; then
    kill -KILL -- "-$dump" 2>/dev/null
    wait "$dump" 2>/dev/null
    code=124
  else
    wait "$dump"
    code=$?
  fi
  kill -KILL "$victim" 2>/dev/null
  victim=
  return "$code"
}

try
code=$?
if [ "$code" = 0 ]; then
  echo breakpoints
elif [ "$code" != 124 ]; then
  { cat "$folder/output"; grep Error "$folder/images/dump.log"; } >&2 2>/dev/null
  echo fails
else
  try CRIU_FAULT=130
  case $? in
    0) echo no-breakpoints ;;
    124) echo hangs ;;
    *) { cat "$folder/output"; grep Error "$folder/images/dump.log"; } >&2 2>/dev/null; echo fails ;;
  esac
fi
