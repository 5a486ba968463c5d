# What the scripts in ci/linters share. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used where this is sourced
# shellcheck source=../lib/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.bash"

# build MODULE PACKAGE: a program at the version that MODULE/go.mod pins, built once for each content of that file; says
# its path in `built`.
build() {
	local module=$root/ci/linters/$1
	built=$cache/linters/$1-$(cat "$module/go.mod" "$module/go.sum" | sha256sum | cut -c1-12)
	[[ -x $built ]] && return
	mkdir -p "$cache/linters"
	(cd "$module" && GOFLAGS='' GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$built" "$2") >&2 ||
		die "$1 does not build" "read what Go said above" 2
}

# lay_out DIR: the profiles and the cases as sets of manifests, with what the tests and labs fill in.
lay_out() {
	(cd "$root" && cargo run --quiet -p loopdrill-checklist --example linters -- prepare "$1") ||
		die "the manifests cannot be laid out" "read what was said above" 2
}
