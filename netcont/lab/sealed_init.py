"""The first process of a sealed lab: it mounts what the kernel offers, and nothing of the host."""

SEALED_INIT = r"""#!/bin/busybox sh
b=/bin/busybox
$b mount -n -t proc proc /proc
while read -r module; do
    $b insmod "/modules/$module" || echo "netcont-init: module $module was refused"
done </modules/order
$b mkdir -p /sys /dev /run /tmp /root
$b mount -n -t sysfs sys /sys
$b mount -n -t devtmpfs dev /dev
$b mkdir -p /dev/pts /dev/shm
$b mount -n -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
$b mount -n -t tmpfs -o mode=1777 shm /dev/shm
$b mount -n -t tmpfs -o mode=755,size=75% run /run
$b mount -n -t cgroup2 cgroup2 /sys/fs/cgroup
$b ln -s /proc/self/fd /dev/fd
$b mkdir -p /usr/bin
# Mininet counts the processors with it.
$b ln -s /bin/busybox /usr/bin/grep
$b hostname netcont-lab
$b ifconfig lo 127.0.0.1 up
for port in /sys/class/virtio-ports/*; do
    read -r name <"$port/name"
    [ "$name" = netcont.out ] && device=/dev/${port##*/}
done
exec 3>"$device"
$b setsid $b sh /netcont/command </dev/null >&3 2>/dev/ttyS0
echo "netcont-exit: $?" >&3
$b poweroff -f
"""
