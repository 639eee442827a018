#!/bin/bash
# An SSH server on loopback, with a user of its own that shares no directory with anybody: a cluster's login node for
# tests. Prints the words that make `ssh` find it under the name `cluster`,
#   export TRIVET_SSH='ssh -F /…/config'      so:  eval "$(scripts/start-sshd.sh)"
# Needs root and Debian's openssh-server, which it installs where apt-get can. Keys, configuration and the user's home
# are in one place; /etc/ssh is left alone. Safe to call again; `start-sshd.sh stop` ends it and removes the user.
#   TRIVET_SSHD   where all of it lives (default /var/tmp/trivet-sshd-UID); everybody must be able to enter it
#   SLURM_CONF    is passed on to the user's commands
set -euo pipefail
place=${TRIVET_SSHD:-/var/tmp/trivet-sshd-$(id -u)}
user=trivet-$(printf %s "$place" | md5sum | cut -c 1-8)

fail() { echo "start-sshd: $*" >&2; exit 1; }
alive() { [ -s "$place/pid" ] && kill -0 "$(cat "$place/pid")" 2>/dev/null; }
[ "$(id -u)" = 0 ] || fail "only root can start it, and make a user"

if [ "${1:-}" = stop ]; then
    if alive; then kill "$(cat "$place/pid")"; fi
    if id "$user" >/dev/null 2>&1; then
        for _ in $(seq 50); do
            pgrep -u "$user" >/dev/null || break
            pkill -KILL -u "$user" || true
            sleep 0.1
        done
        userdel "$user" >/dev/null 2>&1 || true
    fi
    rm -rf "$place"
    exit 0
fi

if ! [ -x /usr/sbin/sshd ]; then
    command -v apt-get >/dev/null || fail "openssh-server is not installed, and there is no apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null || true
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends openssh-server rsync >/dev/null 2>&1 \
        || fail "apt-get could not install openssh-server"
fi
if ! alive; then
    install -d -m 0755 "$place" /run/sshd
    id "$user" >/dev/null 2>&1 || useradd --system --user-group --home-dir "$place/home" --shell /bin/bash "$user"
    usermod -p '*' "$user"
    install -d -o "$user" -g "$user" -m 0700 "$place/home" "$place/home/.ssh"
    [ -s "$place/host_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$place/host_key"
    install -d -m 0700 "$place/client"
    [ -s "$place/client/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$place/client/key"
    install -o "$user" -g "$user" -m 0600 "$place/client/key.pub" "$place/home/.ssh/authorized_keys"
    [ -s "$place/port" ] || python3 - >"$place/port" <<'PYTHON'
import socket
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    print(taken.getsockname()[1])
PYTHON
    port=$(cat "$place/port")
    echo "[127.0.0.1]:$port $(cat "$place/host_key.pub")" >"$place/client/known_hosts"
    [ -s "$place/sshd_config" ] || cat >"$place/sshd_config" <<CONF
ListenAddress 127.0.0.1
Port $port
HostKey $place/host_key
PidFile $place/pid
AllowUsers $user
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
LogLevel VERBOSE
Subsystem sftp internal-sftp
${SLURM_CONF:+SetEnv SLURM_CONF=$SLURM_CONF}
CONF
    cat >"$place/client/config" <<CONF
Host cluster
    HostName 127.0.0.1
    Port $port
    User $user
    IdentityFile $place/client/key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile $place/client/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
CONF
    /usr/sbin/sshd -f "$place/sshd_config" -E "$place/log" || fail "sshd did not start: see $place/log"
    for _ in $(seq 100); do alive && break; sleep 0.05; done
    alive || fail "sshd did not start: $(tail -n 2 "$place/log")"
fi
echo "export TRIVET_SSH='ssh -F $place/client/config'"
