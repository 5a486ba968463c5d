//! The drills of the compute loop: pods find room.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("compute")
}
