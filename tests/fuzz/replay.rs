//! Replays a target's corpus. Each crate with something to fuzz takes this file in, and so every input that once broke
//! something is a test of that crate.

use std::path::{Path, PathBuf};

/// Tries every input of the corpus `target`; the name of the one that fails stands in the test's output.
pub(crate) fn replay(target: &str, run: fn(&[u8])) {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = above.map(|dir| dir.join("tests/fuzz/corpora").join(target)).find(|dir| dir.is_dir());
    let folder = folder.expect("the target has a corpus");
    let mut inputs: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "a corpus without inputs proves nothing");
    for input in inputs {
        println!("{}", input.display());
        run(&std::fs::read(&input).expect("a file"));
    }
}
