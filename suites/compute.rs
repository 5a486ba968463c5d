//! The drills of the compute loop: pods find room.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main(shared::Suite::Loop(loopdrill_model::Loop::Compute))
}
