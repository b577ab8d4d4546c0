#!/usr/bin/env bash
# A SLURM of one node on this machine, for tests/test_slurm.py: from nothing, as root, without systemd, on Debian 12.
#
#     tests/slurm/setup.sh          install what is missing, write the configuration, start what is not running
#     tests/slurm/setup.sh stop     stop it all; what is installed stays, and so do the jobs' records
#
# Harmless when done again. It takes /etc/slurm for its own and opens no port to the outside that SLURM can
# keep on loopback, but it is for a machine or container of your own: everything runs as root.
set -euo pipefail

CONF=/etc/slurm
LOGS=/var/log/slurm
HOST=$(hostname --short)
MARK="# written by tokexp's tests/slurm/setup.sh"

running() { pgrep --exact "$1" >/dev/null; }

wait_for() { # wait_for SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS > end)); then
            echo "error: in vain, for: $*; see $LOGS" >&2
            exit 1
        fi
        sleep 0.2
    done
}

stop_all() {
    for daemon in slurmd slurmctld slurmdbd mariadbd munged; do
        pkill --exact "$daemon" || true
        wait_for 30 eval "! pgrep --exact $daemon"
    done
}

install_packages() {
    local missing=()
    for package in munge slurm-wlm slurmdbd mariadb-server; do
        dpkg --status "$package" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$package")
    done
    if ((${#missing[@]})); then
        apt-get update --quiet
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
    fi
}

write_conf() {
    if [[ -e $CONF/slurm.conf ]] && ! head -1 $CONF/slurm.conf | grep -qF "$MARK"; then
        echo "error: $CONF/slurm.conf is not this script's; a SLURM of your own is left alone" >&2
        exit 1
    fi
    install --directory $CONF $LOGS /var/lib/slurm/ctld /var/lib/slurm/d
    # Two partitions, of which urgent takes the place of main's jobs: SIGTERM, 20 s of grace, then back into the queue.
    # linuxproc and task/none, since a container rarely may make cgroups. SlurmdTimeout is short for the tests.
    cat >$CONF/slurm.conf.new <<END
$MARK
ClusterName=tokexp
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=/var/lib/slurm/ctld
SlurmdSpoolDir=/var/lib/slurm/d
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=$LOGS/slurmctld.log
SlurmdLogFile=$LOGS/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SlurmdTimeout=30
KillWait=10
SchedulerParameters=sched_interval=5,bf_interval=5,requeue_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(($(free --mega | awk '/^Mem/ {print $2}') / 2))
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
END
    cat >$CONF/slurmdbd.conf.new <<END
$MARK
DbdHost=localhost
SlurmUser=root
AuthType=auth/munge
PidFile=/run/slurmdbd.pid
LogFile=$LOGS/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
END
    chmod 600 $CONF/slurmdbd.conf.new # slurmdbd refuses to start with another mode
    for file in slurm.conf slurmdbd.conf; do
        if ! cmp --silent $CONF/$file $CONF/$file.new; then
            CHANGED=yes
        fi
        mv $CONF/$file.new $CONF/$file
    done
}

start_all() {
    # Each only once the one before it answers.
    running munged || {
        install --directory --owner=munge --group=munge --mode=755 /run/munge
        setpriv --reuid=munge --regid=munge --clear-groups munged
    }
    wait_for 10 eval "munge --no-input | unmunge"
    running mariadbd || {
        install --directory --owner=mysql --group=mysql --mode=755 /run/mysqld
        setsid mariadbd --user=mysql --skip-networking </dev/null >>$LOGS/mariadbd.log 2>&1 &
    }
    wait_for 60 mariadb --execute "SELECT 1"
    mariadb --execute "CREATE DATABASE IF NOT EXISTS slurm_acct_db"
    running slurmdbd || slurmdbd
    wait_for 60 sacctmgr --noheader show cluster
    if [[ -z $(sacctmgr --noheader --parsable2 show cluster tokexp) ]]; then
        sacctmgr --immediate add cluster tokexp >/dev/null
    fi
    running slurmctld || slurmctld
    wait_for 60 scontrol ping
    running slurmd || slurmd
    scontrol update nodename="$HOST" state=resume 2>/dev/null || true # where a test left it down
    wait_for 60 srun --immediate=10 true
}

CHANGED=no
if [[ ${1:-} == stop ]]; then
    stop_all
    exit
fi
install_packages
write_conf
if [[ $CHANGED == yes ]]; then
    for daemon in slurmd slurmctld slurmdbd; do
        pkill --exact "$daemon" || true
        wait_for 30 eval "! pgrep --exact $daemon"
    done
fi
start_all
echo "SLURM $(sinfo --version | cut -d' ' -f2) answers on $(srun hostname)"
