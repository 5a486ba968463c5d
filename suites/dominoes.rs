//! The dominoes: one cause that shows in several loops, and several causes at once.

mod shared;

fn main() -> std::process::ExitCode {
    shared::main("dominoes")
}
