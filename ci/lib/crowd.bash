# Sourced by the benchmarks that look at a real API server with very many pods, after common.bash.
# shellcheck shell=bash

crowd=10000
namespace=bench-crowd
# Requests of one client are limited to fifty a second, so several share the work.
clients=4

kubectl() { docker exec -i "$lab-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

# crowd_manifests FROM TO: pods as applications have them, except that no scheduler serves them: they are objects and
# nothing else.
crowd_manifests() {
	awk -v from="$1" -v to="$2" -v namespace="$namespace" 'BEGIN {
		for (n = from; n < to; n++) printf "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p-%d\n  namespace: %s\n" \
			"  labels: {app: app-%d}\nspec:\n  schedulerName: nobody\n  automountServiceAccountToken: true\n  containers:\n" \
			"  - name: app\n    image: registry.example/team/app:1\n    env: [{name: A, value: some value}]\n" \
			"    readinessProbe: {httpGet: {path: /ready, port: 8080}}\n" \
			"    resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 128Mi}}\n---\n", n, namespace, n / 20
	}'
}

# crowd_create: makes the pods, and prints how many the API server has now.
crowd_create() {
	local each=$((crowd / clients)) n jobs=()
	kubectl create namespace "$namespace" >/dev/null
	for ((n = 0; n < clients; n++)); do
		crowd_manifests $((n * each)) $(((n + 1) * each)) | kubectl create -f - >/dev/null &
		jobs+=($!)
	done
	for n in "${jobs[@]}"; do wait "$n"; done
	printf '%s pods in the API server\n' "$(kubectl get --raw '/api/v1/pods?limit=1' | jq '.metadata.remainingItemCount + 1')"
}

crowd_remove() {
	kubectl delete pods --all -n "$namespace" --grace-period=0 --force --wait=false >/dev/null 2>&1 || true
	kubectl delete namespace "$namespace" --ignore-not-found >/dev/null
}

# measured OUT COMMAND...: time, CPU and peak memory of a command whose output goes to OUT; it may exit with 1, which says
# that something was found.
measured() {
	local out=$1 pid peak=0 line start cpu=0 code=0
	shift
	start=$(date +%s.%N)
	"$@" >"$out" 2>"$out.log" &
	pid=$!
	# The peak only grows, so the last reading before the end is it.
	while line=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) && [[ -n $line ]]; do
		peak=$line
		# User and system time, in hundredths of a second.
		cpu=$(awk '{ sub(/.*\) /, ""); print ($12 + $13) / 100 }' "/proc/$pid/stat" 2>/dev/null || echo "$cpu")
		sleep 0.02
	done
	wait "$pid" || code=$?
	((code <= 1)) || { cat "$out.log" >&2 && die "$2 failed with $code" "read the lines above"; }
	awk -v from="$start" -v to="$(date +%s.%N)" -v cpu="$cpu" -v peak="$peak" \
		'BEGIN { printf "%.1f s, %.2f s CPU, %d MiB at the peak\n", to - from, cpu, peak / 1024 }'
}

# on_crowded_lab LAB COMMAND...: runs the command while the pods are on the lab, which is made where it is missing.
on_crowded_lab() {
	lab=$1
	shift
	binary=${LOOPDRILL_BIN:-}
	[[ -n $binary ]] || build_binary
	work=$(mktemp -d)
	made=
	if ! docker inspect "$lab-control-plane" >/dev/null 2>&1; then
		made=yes
		"$binary" lab up --name "$lab" >/dev/null
	fi
	trap leave_crowd EXIT
	trap 'exit 130' INT TERM
	crowd_create
	"$@"
}

leave_crowd() {
	if [[ -n $made ]]; then
		"$binary" lab down --name "$lab" >&2
	else
		crowd_remove
	fi
	rm -rf "$work"
}
