//! The drills of the network loop: packets arrive, large ones too.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("network")
}
