# What the scripts in ci/ share. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used where this is sourced

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${LOOPDRILL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopdrill}

# die MESSAGE NEXT-STEP [EXIT]: exit codes are those of `loopdrill run`; 3 is "no cluster could be provided".
die() {
	printf 'error: %s\n  next: %s\n' "$1" "$2" >&2
	exit "${3:-3}"
}

# build_binary: the static release binary; says its path in `binary`.
build_binary() { cargo_build release --release -p loopdrill; }

# build_tested: the static binary with which the tests drill. It is built with the features that tests ask of third
# parties' crates, and so with one small test: ci/test finds those crates built.
build_tested() {
	local began=$SECONDS
	cargo_build debug --workspace --bin loopdrill --test promtool
	((SECONDS - began < 10)) || printf 'loopdrill: built in %s s\n' $((SECONDS - began)) >&2
}

# cargo_build FOLDER [ARGUMENTS OF cargo build]...: says the binary's path in `binary`.
cargo_build() {
	local host
	host=$(rustc -vV | sed -n 's/^host: //p')
	# Flags from the environment would replace those of .cargo/config.toml, and the binary must stay static.
	if [[ -n ${RUSTFLAGS:-} ]]; then export RUSTFLAGS="$RUSTFLAGS -C target-feature=+crt-static"; fi
	(cd "$root" && cargo build --locked --target "$host" "${@:2}") >&2 ||
		die "loopdrill does not build" "read the compiler's messages above" 2
	binary=${CARGO_TARGET_DIR:-$root/target}/$host/$1/loopdrill
	[[ -x $binary ]] || die "the build left no $binary" "check CARGO_TARGET_DIR and build.target-dir" 2
}

# node_image: kind's own from its registry or, where none answers, one that is built here. It ends up in the engine,
# where the program looks for both.
node_image() {
	local official
	official=$(sed -n 's/.*"\(kindest\/node:[^"]*\)".*/\1/p' "$root/harness/lab/src/node_image.rs")
	docker image inspect "$official" >/dev/null 2>&1 || docker pull --quiet "$official" >/dev/null 2>&1 ||
		exec "$root/ci/node-image/build" >/dev/null
}
