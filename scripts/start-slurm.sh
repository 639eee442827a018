#!/bin/bash
# A SLURM cluster of three pretended nodes on loopback, for tests: prints the line that makes SLURM's commands use it,
#   export SLURM_CONF=/…/slurm.conf      so:  eval "$(scripts/start-slurm.sh)"
# Needs root and Debian's packages, which it installs where apt-get can; nothing is written to /etc/slurm. Safe to call
# again; scripts/stop-slurm.sh ends it and removes its state. Several may run side by side, each in a place of its own.
#   TRIVET_SLURM              where all of it lives (default /var/tmp/trivet-slurm-UID)
#   TRIVET_SLURM_ACCOUNTING   yes for slurmdbd with a private MariaDB, so that sacct answers
#   TRIVET_SLURM_CPUS         how many CPUs every node says it has (default 2)
# Partitions: main (the default, an hour), small (one node, ten minutes), spare (taken away by urgent), urgent.
set -euo pipefail
home=${TRIVET_SLURM:-/var/tmp/trivet-slurm-$(id -u)}
accounting=${TRIVET_SLURM_ACCOUNTING:-no}
cpus=${TRIVET_SLURM_CPUS:-2}
nodes=3

fail() { echo "start-slurm: $*" >&2; exit 1; }
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
patiently() { for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; return 1; }

[ "$(id -u)" = 0 ] || fail "only root can start SLURM's daemons"
needed=(slurmctld slurmd slurm-client munge)
[ "$accounting" = no ] || needed+=(slurmdbd mariadb-server)
missing=()
for package in "${needed[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "${missing[*]} are not installed, and there is no apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null || true
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 \
        || fail "apt-get could not install ${missing[*]}"
fi

if ! munge -n >/dev/null 2>&1; then
    install -d -o munge -g munge -m 0755 /run/munge
    if [ ! -s /etc/munge/munge.key ]; then
        (umask 077; head -c 1024 /dev/urandom >/etc/munge/munge.key)
        chown munge:munge /etc/munge/munge.key
    fi
    runuser -u munge -- /usr/sbin/munged >&2 </dev/null || true
    patiently munge -n || fail "munged does not answer"
fi

mkdir -p "$home"/{state,log,pid}
chmod 755 "$home"
cd "$home"
export SLURM_CONF=$home/slurm.conf

# What is free now is taken at once; nodes' names hold the port, as their control groups do, which are the machine's.
[ -s port ] || python3 - "$((nodes + 3))" >port <<'PYTHON'
import random, socket, sys
while True:
    first, taken = random.randrange(20000, 30000, 20), []
    try:
        for number in range(int(sys.argv[1])):
            taken.append(socket.socket())
            taken[-1].bind(("127.0.0.1", first + number))
        break
    except OSError:
        continue
print(first)
PYTHON
port=$(cat port)
host=$(hostname -s)

if [ -w /sys/fs/cgroup/memory ] && [ -d /sys/fs/cgroup/freezer ]; then
    tracking=proctrack/cgroup tasks=task/cgroup gathering=jobacct_gather/cgroup gathered=
else
    tracking=proctrack/linuxproc tasks=task/none gathering=jobacct_gather/linux gathered=JobAcctGatherParams=OverMemoryKill
fi
if [ "$accounting" = no ]; then
    stored=AccountingStorageType=accounting_storage/none
else
    stored="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((port + 1))
AccountingStoreFlags=job_comment"
fi
{
    cat <<CONF
ClusterName=trivet
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool.%n
SlurmctldPidFile=$home/pid/slurmctld
SlurmdPidFile=$home/pid/%n
SlurmctldLogFile=$home/log/slurmctld
SlurmdLogFile=$home/log/%n
SlurmdParameters=config_overrides
ProctrackType=$tracking
TaskPlugin=$tasks
JobAcctGatherType=$gathering
JobAcctGatherFrequency=task=2
$gathered
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=200
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5,sched_min_interval=0
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
KillWait=${TRIVET_SLURM_KILLWAIT:-5}
MinJobAge=${TRIVET_SLURM_MINJOBAGE:-300}
OverTimeLimit=0
Waittime=0
MessageTimeout=10
TCPTimeout=2
JobRequeue=1
MaxArraySize=1001
MaxJobCount=20000
JobCompType=jobcomp/filetxt
JobCompLoc=$home/log/jobcomp
$stored
GresTypes=gpu
CONF
    for number in $(seq "$nodes"); do
        echo "NodeName=t${port}n$number NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2 + number)) CPUs=$cpus" \
            "RealMemory=4000 State=UNKNOWN Gres=gpu:1"
    done
    all="t${port}n[1-$nodes]"
    echo "PartitionName=main Nodes=$all Default=YES MaxTime=60 DefaultTime=5 State=UP PriorityTier=5 PreemptMode=OFF"
    echo "PartitionName=small Nodes=t${port}n1 MaxTime=10 DefaultTime=1 State=UP PriorityTier=5 PreemptMode=OFF"
    echo "PartitionName=spare Nodes=$all MaxTime=60 DefaultTime=5 State=UP PriorityTier=1 PreemptMode=CANCEL"
    echo "PartitionName=urgent Nodes=$all MaxTime=60 DefaultTime=5 State=UP PriorityTier=9 PreemptMode=OFF"
} | sed '/^$/d' >slurm.conf
# A pretended GPU: any device file will do.
[ -e gpu ] || mknod gpu c 1 3
echo "Name=gpu File=$home/gpu" >gres.conf
cat >cgroup.conf <<'CONF'
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
MinRAMSpace=30
CONF

if [ "$accounting" != no ]; then
    # It runs as a user of its own, who may not get into the place.
    database=/var/tmp/trivet-slurm-$port
    if [ ! -d "$database/mysql" ]; then
        install -d -o mysql -g mysql "$database"
        mariadb-install-db --no-defaults --user=mysql --datadir="$database" --auth-root-authentication-method=socket \
            --skip-test-db >log/mariadb 2>&1 || fail "no database could be made: see $home/log/mariadb"
    fi
    sql() { mariadb --no-defaults -S "$database/socket" "$@"; }
    if ! sql -e 'SELECT 1' >/dev/null 2>&1; then
        setsid mariadbd --no-defaults --user=mysql --datadir="$database" --socket="$database/socket" \
            --pid-file="$database/pid" --port=$((port + 2)) --bind-address=127.0.0.1 --skip-name-resolve \
            --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 >>log/mariadb 2>&1 </dev/null &
        patiently sql -e 'SELECT 1' || fail "MariaDB does not answer: see $home/log/mariadb"
    fi
    sql -e "CREATE DATABASE IF NOT EXISTS slurm; CREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY 'slurm';
            GRANT ALL ON slurm.* TO slurm@'127.0.0.1'"
    (umask 077; cat >slurmdbd.conf <<CONF
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((port + 1))
SlurmUser=root
LogFile=$home/log/slurmdbd
PidFile=$home/pid/slurmdbd
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((port + 2))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
CONF
    )
    if ! alive pid/slurmdbd; then
        slurmdbd >&2 </dev/null
        patiently sacctmgr -n show cluster || fail "slurmdbd does not answer: see $home/log/slurmdbd"
        for words in 'cluster trivet' 'account lab Description=lab Organization=lab' 'user root Account=lab'; do
            # shellcheck disable=SC2086
            sacctmgr -i -Q add $words >/dev/null 2>&1 || true
        done
    fi
fi

alive pid/slurmctld || slurmctld >&2 </dev/null
for number in $(seq "$nodes"); do
    mkdir -p "spool.t${port}n$number"
    alive "pid/t${port}n$number" || slurmd -N "t${port}n$number" >&2 </dev/null
done
up() { [ "$(sinfo -h -p main -t idle,alloc,mix -o %D | awk '{ n += $1 } END { print n + 0 }')" = "$nodes" ]; }
patiently up || { tail -n 5 log/* >&2; fail "not all nodes came up"; }
echo "export SLURM_CONF=$SLURM_CONF"
