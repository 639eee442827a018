#!/bin/sh
# Make a Docker daemon answer: nothing to do where one does; else install docker.io (Debian, Ubuntu; root only) and start it,
# by systemd where that runs, by hand elsewhere. Safe to call again.
#   DOCKER_LOG   where a daemon started by hand writes (default /var/log/trivet-dockerd.log)
set -eu
log=${DOCKER_LOG:-/var/log/trivet-dockerd.log}

answers() { docker info >/dev/null 2>&1; }
fail() { echo "start-docker: $*" >&2; exit 1; }

if command -v docker >/dev/null && answers; then exit 0; fi
[ "$(id -u)" = 0 ] || fail "no Docker daemon answers, and only root can install or start one"
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    command -v apt-get >/dev/null || fail "Docker is not installed, and there is no apt-get: install Docker by hand"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null || true
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends docker.io >/dev/null \
        || fail "apt-get could not install docker.io"
    answers && exit 0
fi
if [ -d /run/systemd/system ]; then
    systemctl start docker || fail "systemctl could not start docker: see journalctl -u docker"
else
    setsid dockerd >"$log" 2>&1 </dev/null &
fi
tries=0
until answers; do
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || { tail -n 20 "$log" >&2 2>/dev/null || true; fail "the daemon does not answer after 30 s"; }
    sleep 0.2
done
