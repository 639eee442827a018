#!/bin/bash
# End the cluster of start-slurm.sh with all its jobs, and remove its state. munged goes on: others may use it.
#   TRIVET_SLURM   where it lives (default /var/tmp/trivet-slurm-UID)
set -u
home=${TRIVET_SLURM:-/var/tmp/trivet-slurm-$(id -u)}
[ -s "$home/port" ] || exit 0
export SLURM_CONF=$home/slurm.conf
port=$(cat "$home/port")

end() { # their state is removed, so there is nothing to save
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null
}

timeout 10 scancel --user=root >/dev/null 2>&1
# The processes of all jobs, wherever they are in the nodes' control groups, slurmstepd included.
for group in /sys/fs/cgroup/freezer/slurm_t"${port}"n* /sys/fs/cgroup/memory/slurm_t"${port}"n*; do
    [ -d "$group" ] && find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null
done
for file in "$home"/pid/t* "$home/pid/slurmctld" "$home/pid/slurmdbd" "/var/tmp/trivet-slurm-$port/pid"; do end "$file"; done
for group in /sys/fs/cgroup/*/slurm_t"${port}"n*; do
    [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
done
rm -rf "$home" "/var/tmp/trivet-slurm-$port"
