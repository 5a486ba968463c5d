#!/bin/bash
# Runs before the node image's own entrypoint, at every start of a node. Every step looks before it acts.
set -euo pipefail

# Without --privileged an engine mounts /sys and the control groups read-only.
if findmnt -n -o OPTIONS --target /sys | grep -q '^ro'; then
	mount -o remount,rw /sys
fi
while read -r target options; do
	if [[ $options == ro* ]]; then mount -o remount,bind,rw "$target"; fi
done < <(findmnt -lun -o TARGET,OPTIONS -t cgroup,cgroup2,tmpfs | grep '^/sys/fs/cgroup')

# Scores below the container's own need CAP_SYS_RESOURCE, number 24.
effective=$(sed -n 's/^CapEff:\t//p' /proc/self/status)
if ! ((0x$effective >> 24 & 1)); then
	sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
fi

# Registries are configured by folder.
if ! grep -q '^ *config_path *= *"[^"]' /etc/containerd/config.toml; then
	printf '\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n' \
		>>/etc/containerd/config.toml
fi

exec /usr/local/bin/entrypoint /sbin/init
