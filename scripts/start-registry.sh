#!/bin/sh
# A container registry with a password on loopback, for tests: prints the line that names it,
#   export TRIVET_TEST_REGISTRY=127.0.0.1:PORT      so:  eval "$(scripts/start-registry.sh)"
# The user is `reader`, the password `s3cret:word`. Installs docker-registry by apt where it is root and there is none. Safe to
# call again; `start-registry.sh stop` ends it and removes its images.
#   TRIVET_REGISTRY   where all of it lives (default /var/tmp/trivet-registry-UID)
set -eu
home=${TRIVET_REGISTRY:-/var/tmp/trivet-registry-$(id -u)}

fail() { echo "start-registry: $*" >&2; exit 1; }
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' -u 'reader:s3cret:word' "http://127.0.0.1:$1/v2/")" = 200 ]; }

if [ "${1:-}" = stop ]; then
    [ ! -f "$home/pid" ] || kill "$(cat "$home/pid")" 2>/dev/null || true
    rm -rf "$home"
    exit 0
fi

if ! command -v docker-registry >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
        || fail "docker-registry is not installed; as root: apt-get install docker-registry"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null || true
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends docker-registry >/dev/null \
        || fail "apt-get could not install docker-registry"
fi

mkdir -p "$home/data"
chmod 700 "$home"
if ! { [ -f "$home/port" ] && answers "$(cat "$home/port")"; }; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    perl -e 'print "reader:", crypt("s3cret:word", "\$2b\$04\$abcdefghijklmnopqrstuu"), "\n"' >"$home/htpasswd"
    cat >"$home/config.yml" <<CONFIG
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $home/data}
http: {addr: "127.0.0.1:$port", secret: tests}
auth: {htpasswd: {realm: tests, path: $home/htpasswd}}
CONFIG
    setsid docker-registry serve "$home/config.yml" >"$home/log" 2>&1 </dev/null &
    echo $! >"$home/pid"
    tries=0
    until answers "$port"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { tail -n 5 "$home/log" >&2; fail "the registry does not answer after 10 s"; }
        sleep 0.1
    done
    echo "$port" >"$home/port"
fi
echo "export TRIVET_TEST_REGISTRY=127.0.0.1:$(cat "$home/port")"
