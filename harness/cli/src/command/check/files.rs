//! The files among which manifests are looked for: what was named, and in folders everything that may be one.
//!
//! Nothing in a folder ends a run. What cannot be a manifest, or is one only after it was rendered, is told.

use crate::Failure;
use loopdrill_checklist::snapshot::Told;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    env, fs, io,
    path::{Component, Path, PathBuf},
};

/// Standard input, as an argument.
pub(super) const STDIN: &str = "-";
/// What ends the names of manifests.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// Folders of a chart that hold templates, and charts that it brings along.
const OF_A_CHART: [&str; 2] = ["templates", "charts"];
/// The names under which kustomize looks for its own file.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Files to be read, in a stable order.
    pub(super) read: Vec<PathBuf>,
    /// What is none of our business.
    pub(super) passed_over: Vec<Told>,
    /// What has to be rendered first, and how.
    pub(super) to_render: Vec<Told>,
    /// What could not be looked into.
    pub(super) broken: Vec<Told>,
    /// Files that kustomize lays over others: parts of objects.
    patches: BTreeSet<PathBuf>,
}

/// The parts of a kustomization that name patches.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Kustomization {
    patches: Option<Vec<Patch>>,
    patches_json6902: Option<Vec<Patch>>,
    patches_strategic_merge: Option<Vec<String>>,
    configurations: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Patch {
    path: Option<String>,
}

impl Files {
    /// Looks at everything that was named.
    ///
    /// # Errors
    /// A name that leads nowhere: whoever wrote it meant something else.
    pub(super) fn of(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut files = Self::default();
        for path in paths {
            if path.as_os_str() == STDIN {
                files.read.push(path.clone());
                continue;
            }
            let found = fs::metadata(path)
                .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
            if found.is_dir() { files.folder(path) } else { files.read.push(path.clone()) }
        }
        let (patches, read) = files.read.drain(..).partition(|p| files.patches.contains(&plain(p)));
        files.read = read;
        files.tell_patches(patches);
        Ok(files)
    }

    fn tell_patches(&mut self, patches: Vec<PathBuf>) {
        let why = "it is a patch of kustomize, and a part of an object only";
        self.passed_over.extend(patches.iter().map(|p| told(p, why)));
    }

    fn folder(&mut self, dir: &Path) {
        let mut entries = match entries(dir) {
            Ok(entries) => entries,
            Err(e) => return self.broken.push(told(dir, &format!("it cannot be read: {e}"))),
        };
        entries.sort();
        let has = |name: &str| entries.iter().any(|e| e.file_name().is_some_and(|n| n == name));
        let chart = has("Chart.yaml");
        if chart {
            let how = format!("it is a Helm chart: `helm template {} | loopdrill check -`", name(dir));
            self.to_render.push(told(dir, &how));
        }
        if let Some(file) = KUSTOMIZATIONS.into_iter().find(|n| has(n)) {
            self.kustomization(dir, file);
        }
        for entry in entries {
            self.entry(&entry, chart);
        }
    }

    fn kustomization(&mut self, dir: &Path, file: &str) {
        let how = format!(
            "kustomize makes more of it than what is written here: `kustomize build {} | loopdrill check -`",
            name(dir)
        );
        self.to_render.push(told(&dir.join(file), &how));
        // One that cannot be read is told when its turn comes.
        let Ok(text) = fs::read_to_string(dir.join(file)) else { return };
        let read: Kustomization = serde_yaml::from_str(&text).unwrap_or_default();
        let patches = [read.patches, read.patches_json6902].into_iter().flatten().flatten();
        let paths = patches.filter_map(|p| p.path);
        let paths = paths.chain(read.patches_strategic_merge.into_iter().flatten());
        let paths = paths.chain(read.configurations.into_iter().flatten());
        self.patches.extend(paths.map(|p| plain(&dir.join(p))));
    }

    fn entry(&mut self, path: &Path, in_chart: bool) {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_dir = path.is_dir();
        if is_dir && file.starts_with('.') {
            self.passed_over.push(told(path, "it is a hidden folder"));
        } else if is_dir && in_chart && OF_A_CHART.contains(&file.as_str()) {
            // Told with the chart.
        } else if is_dir && !path.is_symlink() {
            self.folder(path);
        } else if !is_dir && path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e == *known)) {
            self.read.push(path.to_path_buf());
        }
    }
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect()
}

fn told(path: &Path, why: &str) -> Told {
    Told { file: name(path), why: why.into() }
}

/// A path as reports name it: relative to where we are, where it lies below.
pub(super) fn name(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    let relative = path.strip_prefix(&here).unwrap_or(path);
    let plain = plain(relative);
    if plain.as_os_str().is_empty() { ".".into() } else { plain.display().to_string() }
}

/// A path without `.`, and without `..` where the folder before it is known.
fn plain(path: &Path) -> PathBuf {
    let mut all: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, all.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => drop(all.pop()),
            _ => all.push(part),
        }
    }
    all.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        dir
    }

    fn names(dir: &tempfile::TempDir, paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|p| p.strip_prefix(dir.path()).expect("below").display().to_string()).collect()
    }

    #[test]
    fn a_folder_is_searched_and_what_is_not_read_is_told() {
        let dir = tree(&[
            ("a.yaml", ""),
            ("notes.txt", ""),
            (".github/workflows/ci.yml", ""),
            ("chart/Chart.yaml", ""),
            ("chart/values.yaml", ""),
            ("chart/templates/web.yaml", ""),
            ("chart/charts/db/Chart.yaml", ""),
            (
                "overlay/kustomization.yaml",
                "patches: [{path: ../patches/web.yaml}]\npatchesStrategicMerge: [more.yaml]\n",
            ),
            ("overlay/more.yaml", ""),
            ("overlay/web.json", ""),
            ("patches/web.yaml", ""),
        ]);
        let files = Files::of(&[dir.path().to_path_buf()]).expect("a folder");
        let read = [
            "a.yaml",
            "chart/Chart.yaml",
            "chart/values.yaml",
            "overlay/kustomization.yaml",
            "overlay/web.json",
        ];
        assert_eq!(names(&dir, &files.read), read);
        let how: Vec<_> = files.to_render.iter().map(|t| t.why.clone()).collect();
        assert!(
            how[0].contains("helm template") && how[0].ends_with("chart | loopdrill check -`"),
            "{how:?}"
        );
        assert!(how[1].contains("kustomize build") && how.len() == 2, "{how:?}");
        let over: Vec<_> = files.passed_over.iter().map(|t| t.why.clone()).collect();
        assert_eq!(over.iter().filter(|w| w.contains("patch of kustomize")).count(), 2, "{over:?}");
        assert!(over.contains(&"it is a hidden folder".to_string()));
    }

    #[test]
    fn what_does_not_exist_is_an_error() {
        assert!(Files::of(&["/nowhere/at/all".into()]).is_err());
    }

    #[test]
    fn paths_are_named_from_here() {
        let here = env::current_dir().expect("a folder");
        assert_eq!(name(&here.join("a/./b/../c.yaml")), "a/c.yaml");
        assert_eq!(name(Path::new("./x.yaml")), "x.yaml");
        assert_eq!(name(Path::new("../x.yaml")), "../x.yaml");
        assert_eq!(name(Path::new("./")), ".");
    }
}
