# On every node: waits for its service manager, fills the gaps in kubeadm's configuration.
# Prints the version of Kubernetes that the node image holds.
deadline=$((SECONDS + 60))
until systemctl is-active --quiet containerd 2>/dev/null; do
	if ((SECONDS > deadline)); then
		systemctl status --no-pager containerd >&2 || true
		echo "containerd did not start within 60 s" >&2
		exit 1
	fi
	sleep 0.05
done
version=$(cat /kind/version)
address=$(getent ahostsv4 "$(hostname)" | awk 'NR == 1 { print $1 }')
# kube-proxy's nftables mode also refuses ports that a Service lacks; an old kernel cannot do it.
mode=iptables
if nft --check --file /kind/nftables-probe.nft 2>/dev/null; then mode=nftables; fi
sed -i -e "s/__NODE_ADDRESS__/$address/; s/__KUBERNETES_VERSION__/$version/; s/__PROXY_MODE__/$mode/" /kind/kubeadm.conf
echo "$version"
