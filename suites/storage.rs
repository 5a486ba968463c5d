//! The drills of the storage loop: a volume can follow its pod.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("storage")
}
