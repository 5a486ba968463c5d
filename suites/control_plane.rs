//! The drills of the control-plane loop: the other four converge.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("control-plane")
}
