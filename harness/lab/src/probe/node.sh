# On every node: what it has, as lines of key=value. Looks without touching, except for the last question.
echo "vxlan=$(ip -o link show type vxlan 2>/dev/null | awk -F': ' '{ print $2 }' | paste -sd, -)"
echo "systemd=$(systemctl is-system-running 2>/dev/null)"
[ -e /etc/kubernetes/manifests/etcd.yaml ] || exit 0
echo "etcd=static-pod"
disk=$(findmnt -n -o MAJ:MIN -T /var/lib/etcd 2>/dev/null | tr -d ' ')
echo "disk=$disk"

# Limits are set on whole disks, not on their parts.
if [ -e "/sys/dev/block/$disk/partition" ]; then disk=$(cat "/sys/dev/block/$disk/../dev"); fi

# A control group that holds nothing and lives for a moment takes a limit, or says why not.
try() { # CGROUP FILE LIMIT
	mkdir -p "$1" 2>/dev/null || { echo "throttle=control groups are read-only"; return; }
	if answer=$({ echo "$3" >"$1/$2"; } 2>&1) && grep -q "^$disk " "$1/$2"; then
		echo "throttle=yes"
	else
		echo "throttle=the kernel does not take a limit: ${answer##*: }"
	fi
	rmdir "$1"
}
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	if grep -qw io /sys/fs/cgroup/cgroup.subtree_control; then
		try "/sys/fs/cgroup/loopdrill-probe-$$" io.max "$disk wiops=1000"
	else
		echo "throttle=the io controller is not enabled"
	fi
elif [ -e /sys/fs/cgroup/blkio/blkio.throttle.write_iops_device ]; then
	try "/sys/fs/cgroup/blkio/loopdrill-probe-$$" blkio.throttle.write_iops_device "$disk 1000"
else
	echo "throttle=the blkio controller is missing"
fi
