//! What was read, and what was passed over, for people.

use super::Page;
use crate::snapshot::{Scan, Told};

/// Files that are named one by one; JSON has all.
const NAMED: usize = 3;

/// What is to be said of the input: how much was read, what was not and why, and what to do about it.
pub(super) fn told(out: &mut String, page: Page, scan: &Scan) {
    page.write(
        out,
        "",
        0,
        &format!("{} in {} read", count(scan.objects, "object"), count(scan.files, "file")),
    );
    if !scan.others.is_empty() {
        page.write(
            out,
            "",
            2,
            &format!("not judged, because no check knows them: {}", scan.others.join(", ")),
        );
    }
    for (what, files) in [
        ("cannot be read, and not judged", &scan.broken),
        ("to be rendered first, and not judged", &scan.to_render),
        ("no manifests", &scan.no_manifests),
    ] {
        if !files.is_empty() {
            page.write(out, "", 0, &format!("{what}: {}", files.len()));
            named(out, page, files);
        }
    }
}

fn named(out: &mut String, page: Page, files: &[Told]) {
    for file in files.iter().take(NAMED) {
        page.write(out, "  ", 4, &format!("{}: {}", file.file, file.why));
    }
    if files.len() > NAMED {
        page.write(out, "  ", 4, &format!("and {} more; `--output json` names all", files.len() - NAMED));
    }
}

/// `1 file`, `2 files`.
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
