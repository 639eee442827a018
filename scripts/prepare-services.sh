#!/bin/sh
# Have the services that some tests need: Docker, Podman, Apptainer, PostgreSQL, Chromium, SLURM, sshd. As root on Debian or Ubuntu what is
# missing is installed and a Docker daemon is started; elsewhere nothing changes, and tests without their service are
# skipped.
set -u
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    missing=
    command -v dockerd >/dev/null 2>&1 || missing="$missing docker.io"
    # runc beside podman: Debian's default, crun, refuses machines whose control groups are hybrid.
    command -v podman >/dev/null 2>&1 || missing="$missing podman runc"
    command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
    command -v slurmctld >/dev/null 2>&1 || missing="$missing slurmctld slurmd slurm-client munge"
    [ -x /usr/sbin/sshd ] || missing="$missing openssh-server rsync"
    command -v slurmdbd >/dev/null 2>&1 || missing="$missing slurmdbd mariadb-server"
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
    if [ -n "$missing" ]; then
        echo "installing$missing"
        log=$(mktemp)
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update >"$log" 2>&1
        # shellcheck disable=SC2086
        if ! apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing >>"$log" 2>&1; then
            tail -n 20 "$log"
            echo "apt-get could not install$missing; tests that need them are skipped"
        fi
        rm -f "$log"
    fi
    scripts/install-apptainer.sh >/dev/null || echo "no Apptainer: tests that need it are skipped"
    scripts/start-docker.sh || echo "no Docker daemon: tests that need one are skipped"
fi
if docker info >/dev/null 2>&1 || podman info >/dev/null 2>&1; then
    scripts/build-example-images.sh || echo "the images of the examples can't be built: tests that need them are skipped"
fi
