#!/bin/sh
# A Podman service with a socket and images of its own, for tests: prints the line that makes Trivet use it,
#   export CONTAINER_HOST=unix:///…      so:  eval "$(scripts/start-podman.sh)"
# Installs podman by apt where it is root and there is none. Safe to call again; `start-podman.sh stop` ends the service and
# removes its images.
#   TRIVET_PODMAN   where all of it lives (default /var/tmp/trivet-podman-UID)
set -eu
home=${TRIVET_PODMAN:-/var/tmp/trivet-podman-$(id -u)}
socket=$home/podman.sock

fail() { echo "start-podman: $*" >&2; exit 1; }
answers() { podman --url "unix://$socket" version >/dev/null 2>&1; }

export CONTAINERS_CONF="$home/containers.conf" CONTAINERS_STORAGE_CONF="$home/storage.conf"

if [ "${1:-}" = stop ]; then
    [ -d "$home" ] || exit 0
    [ ! -f "$home/service.pid" ] || kill "$(cat "$home/service.pid")" 2>/dev/null || true
    podman system reset --force >/dev/null 2>&1 || true
    umount "$home/storage/overlay" 2>/dev/null || true
    rm -rf "$home"
    exit 0
fi

if ! command -v podman >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "podman is not installed; as root: apt-get install podman runc"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null || true
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends podman runc uidmap fuse-overlayfs slirp4netns \
        >/dev/null || fail "apt-get could not install podman"
fi

mkdir -p "$home"
chmod 700 "$home"
if ! answers; then
    # What Podman can't find out by itself: no systemd to make control groups, a hybrid control group tree that crun does not
    # take, and a hard limit of open files below Podman's default, which only a privileged root may raise.
    nofile=$(ulimit -Hn)
    {
        echo '[containers]'
        if [ "$nofile" != unlimited ] && [ "$nofile" -lt 1048576 ]; then
            echo "default_ulimits = [\"nofile=$nofile:$nofile\", \"nproc=30000:30000\"]"
        fi
        echo '[engine]'
        echo 'events_logger = "file"'
        [ -d /run/systemd/system ] || echo 'cgroup_manager = "cgroupfs"'
        if [ ! -f /sys/fs/cgroup/cgroup.controllers ] && command -v runc >/dev/null; then echo 'runtime = "runc"'; fi
    } >"$CONTAINERS_CONF"
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$home/storage" "$home/run" \
        >"$CONTAINERS_STORAGE_CONF"
    rm -f "$socket"
    # A container's monitor leaves a file `oom` where the service works.
    cd "$home"
    setsid podman system service --time 0 "unix://$socket" >"$home/service.log" 2>&1 </dev/null &
    echo $! >"$home/service.pid"
    tries=0
    until answers; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { cat "$home/service.log" >&2; fail "the service does not answer after 20 s"; }
        sleep 0.2
    done
fi
echo "export CONTAINER_HOST=unix://$socket"
