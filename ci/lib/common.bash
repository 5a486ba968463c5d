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
build_binary() {
	local host
	host=$(rustc -vV | sed -n 's/^host: //p')
	# Flags from the environment would replace those of .cargo/config.toml, and the binary must stay static.
	if [[ -n ${RUSTFLAGS:-} ]]; then export RUSTFLAGS="$RUSTFLAGS -C target-feature=+crt-static"; fi
	(cd "$root" && cargo build --release --locked --target "$host" -p loopdrill) >&2 ||
		die "loopdrill does not build" "read the compiler's messages above" 2
	binary=${CARGO_TARGET_DIR:-$root/target}/$host/release/loopdrill
	[[ -x $binary ]] || die "the build left no $binary" "check CARGO_TARGET_DIR and build.target-dir" 2
}
