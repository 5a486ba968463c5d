//! `loopdrill check` and `loopdrill explain`.

mod target;

use crate::Failure;
use clap::ValueEnum;
use loopdrill_checklist::{
    Area, Config, Manifests, Results, Selection, Severity, Snapshot, Status, checks, output, run,
};
use loopdrill_model::{ExitStatus, Timestamp};
use std::{
    fs,
    path::{Path, PathBuf},
};
pub(crate) use target::survey;

/// Options of `loopdrill check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Judge these manifests, or all in these folders, before they are applied
    #[arg(value_name = "FILE|DIR", conflicts_with_all = ["lab", "kind", "context", "snapshot", "probes"])]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    target: target::TargetArgs,
    /// Judge a snapshot that `--save` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lab", "kind", "context", "probes"])]
    snapshot: Option<PathBuf>,
    /// Also write the snapshot to this file; values of Secrets are never in it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Only checks of this loop, or of `observability`. Repeatable
    #[arg(long = "loop", value_name = "LOOP", value_parser = area)]
    area: Vec<Area>,
    /// Judge objects of this namespace only. Repeatable
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Vec<String>,
    /// Leave this check out. Repeatable
    #[arg(long, value_name = "ID", value_parser = check_id)]
    ignore: Vec<String>,
    /// Only checks that matter at least that much
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    min_severity: Option<Severity>,
    /// Documented exceptions, with a reason and a date on which they end
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print the results
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Checks that could not be judged for want of access count as failures
    #[arg(long)]
    require: bool,
    /// List all checks and do nothing else
    #[arg(long)]
    list: bool,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill check --lab dev                          a lab
  loopdrill check --context prod --output markdown   a cluster of your kubeconfig; nothing is changed there
  loopdrill check deploy/                            manifests, before they are applied
  loopdrill check --lab dev --probes                 also starts one small pod a node, and removes it again
  loopdrill check --context prod --save prod.json && loopdrill check --snapshot prod.json

The configuration file:
  exceptions:
    - check: CO-04                     # which check
      object: Deployment shop/legacy*  # as the evidence names it; all objects without it
      reason: replaced in January      # a must
      expires: 2027-01-31              # a must; the check fails again on the day after
  systemNamespaces: [istio-system]     # not judged, beside kube-*
  externalMonitoring: the company's own Prometheus

Exit codes: 0 ready   1 a check failed   2 usage, configuration or manifests   3 no cluster";

/// Options of `loopdrill explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The check, for example CO-04
    #[arg(value_name = "ID", value_parser = check_id)]
    id: String,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for people
    #[default]
    Table,
    /// JSON, by the published schema
    Json,
    /// JUnit's XML
    Junit,
    /// SARIF 2.1.0
    Sarif,
    /// Markdown
    Markdown,
}

fn area(text: &str) -> Result<Area, String> {
    let known = Area::ALL.map(Area::name).join(", ");
    Area::ALL.into_iter().find(|a| a.name() == text).ok_or(format!("one of {known}"))
}

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    all.into_iter().find(|s| s.name() == text).ok_or_else(|| "one of low, medium, high, critical".to_string())
}

fn check_id(text: &str) -> Result<String, String> {
    let check = checks::by_id(text).ok_or("there is no such check; `loopdrill check --list` names them")?;
    Ok(check.id.into())
}

pub(crate) fn explain(args: &ExplainArgs) -> Result<ExitStatus, Failure> {
    let check = checks::by_id(&args.id).ok_or_else(|| Failure::usage("there is no such check"))?;
    print!("{}", output::explain(check));
    Ok(ExitStatus::Ready)
}

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
    if args.list {
        print!("{}", output::list());
        return Ok(ExitStatus::Ready);
    }
    let config = match &args.config {
        Some(path) => config(path)?,
        None => Config::default(),
    };
    let mut snapshot = snapshot(&args, &config).await?;
    if !args.namespace.is_empty() {
        snapshot.only.clone_from(&args.namespace);
    }
    if let Some(path) = &args.save {
        save(path, &snapshot)?;
    }
    let selection =
        Selection { areas: args.area, ignore: args.ignore, min_severity: args.min_severity, config };
    let results = run(&snapshot, &selection);
    print(args.output, &results, &snapshot);
    Ok(exit(&results, args.require))
}

fn exit(results: &Results, require: bool) -> ExitStatus {
    let blind = require && results.checks.iter().any(|c| c.blind);
    if blind || results.count(Status::Fail) > 0 { ExitStatus::NotReady } else { ExitStatus::Ready }
}

fn print(how: Output, results: &Results, snapshot: &Snapshot) {
    let text = match how {
        Output::Table => output::table(results, snapshot),
        Output::Json => output::json(results, snapshot),
        Output::Junit => output::junit(results),
        Output::Sarif => output::sarif(results),
        Output::Markdown => output::markdown(results, snapshot),
    };
    println!("{}", text.trim_end());
}

fn config(path: &Path) -> Result<Config, Failure> {
    let today = Timestamp::now().to_zoned(loopdrill_checklist::UTC).date();
    Config::parse(&path.display().to_string(), &read(path)?, today)
        .map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

async fn snapshot(args: &Args, config: &Config) -> Result<Snapshot, Failure> {
    if let Some(path) = &args.snapshot {
        return load(path);
    }
    if args.manifests.is_empty() {
        return survey(&args.target, &args.namespace, config).await;
    }
    from_manifests(&args.manifests, config)
}

fn load(path: &Path) -> Result<Snapshot, Failure> {
    let snapshot: Snapshot = serde_json::from_str(&read(path)?).map_err(|e| {
        Failure::usage(format!("{} is no snapshot that `check --save` wrote: {e}", path.display()))
    })?;
    if snapshot.format != Snapshot::FORMAT {
        return Err(Failure::usage(format!(
            "{} has format {}, and this build reads {}; take it anew",
            path.display(),
            snapshot.format,
            Snapshot::FORMAT
        )));
    }
    Ok(snapshot)
}

fn save(path: &Path, snapshot: &Snapshot) -> Result<(), Failure> {
    let text = serde_json::to_string(snapshot).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    fs::write(path, text).map_err(|e| Failure::usage(format!("cannot write {}: {e}", path.display())))
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not text", path.display())))
}

fn from_manifests(paths: &[PathBuf], config: &Config) -> Result<Snapshot, Failure> {
    let mut manifests = Manifests::new(Timestamp::now(), config.system_namespaces.clone());
    let mut troubles = Vec::new();
    for file in files(paths)? {
        if let Err(trouble) = manifests.add(&file.display().to_string(), &read(&file)?) {
            troubles.push(trouble.to_string());
        }
    }
    if !troubles.is_empty() {
        return Err(Failure::usage(troubles.join("\nerror: ")));
    }
    if manifests.objects() == 0 {
        return Err(Failure::usage("there is no object in these manifests that a check knows"));
    }
    let (snapshot, left_out) = manifests.finish();
    if !left_out.is_empty() {
        eprintln!("not judged, because no check knows them: {}", left_out.join(", "));
    }
    Ok(snapshot)
}

/// The files that were named, and those in named folders that look like manifests, in a stable order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = all.len();
            walk(path, &mut all)
                .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
            if all.len() == before {
                return Err(Failure::usage(format!("{} holds no .yaml, .yml or .json file", path.display())));
            }
        } else {
            all.push(path.clone());
        }
    }
    Ok(all)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let manifest =
            path.extension().is_some_and(|e| ["yaml", "yml", "json"].iter().any(|known| e == *known));
        // A link to a folder above would never end.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, found)?;
        } else if manifest {
            found.push(path);
        }
    }
    Ok(())
}
