"""The two shell scripts that bring the lab VM up and run one command in it.

Both run in busybox. They replace virtme-ng's own init, which starts udev and systemd-tmpfiles
where the host has them: that costs seconds without KVM and makes one host's lab differ from
another's. Nothing of the host is executed, and hardly anything of it read, before the command.
"""

INIT = r"""#!/bin/busybox sh
b=/bin/busybox
fail() { echo "netcont-init: $*"; $b sync; $b poweroff -f; }
$b mount -n -t proc proc /proc
while read -r module; do
    $b insmod "/modules/$module" || echo "netcont-init: module $module was refused"
done </modules/order
nine=trans=virtio,version=9p2000.L,access=any,msize=512000
$b mount -n -t 9p -o "ro,cache=loose,$nine" netcont.root /host || fail "no view of the host"
$b mount -n -t tmpfs -o mode=755,size=75% upper /upper
$b mkdir /upper/data /upper/work
layers=lowerdir=/host,upperdir=/upper/data,workdir=/upper/work
$b mount -n -t overlay -o $layers overlay /newroot ||
    fail "no overlay over the view of the host"
cd /newroot
$b mkdir -p proc sys dev run tmp lib/modules
$b mount -n -t proc proc proc
$b mount -n -t sysfs sys sys
$b mount -n -t devtmpfs dev dev
$b mkdir -p dev/pts dev/shm
$b mount -n -t devpts -o mode=620,ptmxmode=666 devpts dev/pts
$b mount -n -t tmpfs -o mode=1777 shm dev/shm
for name in "fd /proc/self/fd" "stdin /proc/self/fd/0" "stdout /proc/self/fd/1" \
    "stderr /proc/self/fd/2"; do
    [ -e "dev/${name%% *}" ] || $b ln -s "${name#* }" "dev/${name%% *}"
done
$b mount -n -t cgroup2 cgroup2 sys/fs/cgroup
$b mount -n -t tmpfs -o mode=755 run run
$b mkdir run/netcont run/netcont/control run/lock
$b mount -n -t 9p -o "rw,$nine" netcont.control run/netcont/control || fail "no control directory"
$b cp /bin/busybox /run.sh run/netcont/
. run/netcont/control/settings
$b mount -n -t tmpfs modules lib/modules
$b ln -s "$modules" "lib/modules/$($b uname -r)"
if [ -n "$output" ]; then
    $b mkdir -p "/newroot$output"
    $b mount -n -t 9p -o "rw,$nine" netcont.output "/newroot$output" || fail "no output directory"
fi
$b umount /proc
exec $b switch_root /newroot /run/netcont/busybox sh /run/netcont/run.sh
"""
"""First process of the guest: modules, then the host's files read-only with memory over them."""

RUN = r"""b=/run/netcont/busybox
control=/run/netcont/control
$b hostname netcont-lab
$b ifconfig lo 127.0.0.1 up
. $control/settings
if [ -n "$terminal" ]; then
    # Held open, because a terminal that nobody has open forgets its size.
    exec 3<>"$terminal"
    $b stty -F "$terminal" $stty
    $b setsid -c /bin/sh $control/command <>"$terminal" >&0 2>&1 3>&-
    code=$?
else
    for port in /sys/class/virtio-ports/*; do
        read -r name <"$port/name"
        [ "$name" = netcont.out ] && device=/dev/${port##*/}
    done
    # Not the port itself: it can be opened only once, and a program may open /dev/stdout.
    $b mkfifo /run/netcont/out
    $b cat /run/netcont/out >"$device" &
    relay=$!
    # The host's shell: busybox's would take its own ip, date, … for the host's.
    $b setsid /bin/sh $control/command </dev/null >/run/netcont/out 2>/dev/ttyS0
    code=$?
    # What the command left running may hold the pipe open: give what it wrote two seconds.
    for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        $b kill -0 $relay 2>/dev/null || break
        $b sleep 0.1
    done
fi
echo $code >$control/exit
$b sync
$b poweroff -f
"""
"""Second part, in the guest's final file system: runs the command and tells its exit code."""
