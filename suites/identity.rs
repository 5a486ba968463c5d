//! The drills of the identity loop: whoever asks is known and may do what it must.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("identity")
}
