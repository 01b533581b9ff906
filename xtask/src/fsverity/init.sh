#!/bin/busybox sh
# The first process of the machine: loads what reaches the disk, in this order, and goes on there.
/bin/busybox mount -t devtmpfs devtmpfs /dev
for module in $(/bin/busybox cat /modules); do
    /bin/busybox insmod "/$module" || echo "$module could not be loaded"
done
/bin/busybox mount -t ext4 /dev/vda /disk && exec /bin/busybox switch_root /disk /checks/run
echo 'the disk could not be mounted'
/bin/busybox poweroff -f
