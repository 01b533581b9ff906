#!/bin/sh
# The first process of the machine, once its file system is there. Runs the checks, tells of each on the second
# serial line what it wrote and how it ended, and turns the machine off.
export PATH=/usr/bin:/bin HOME=/tmp TMPDIR=/tmp
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
busybox mkdir -p /dev/shm
busybox mount -t tmpfs tmpfs /dev/shm
busybox ln -sf /proc/self/fd /dev/fd
exec >/dev/ttyS1 2>&1

check() {
    name=$1
    shift
    echo "== begin $name"
    "$@"
    echo "== end $?"
}

finish() {
    echo '== done'
    busybox sync
    busybox poweroff -f
}

echo "== kernel $(uname -r)"
