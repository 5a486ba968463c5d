//! The decoys: what looks like a canonical fault and has another cause.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("decoys")
}
