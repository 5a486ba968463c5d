//! Packs the node image's builder, so that an installed binary can run it without a checkout.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let source = root.join("../../ci/node-image");
    println!("cargo::rerun-if-changed={}", source.display());
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("node-image.tar");
    let mut archive = tar::Builder::new(fs::File::create(target)?);
    archive.mode(tar::HeaderMode::Deterministic);
    let mut files = Vec::new();
    collect(&source, &mut files)?;
    files.sort();
    for file in files {
        let name = file.strip_prefix(&source).map_err(io::Error::other)?;
        archive.append_path_with_name(&file, name)?;
    }
    archive.finish()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
