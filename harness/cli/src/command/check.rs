//! `loopdrill check`.

mod files;
mod fix;
mod manifests;
mod target;

use crate::Failure;
use clap::ValueEnum;
use loopdrill_checklist::{
    Area, Config, Results, Selection, Severity, Snapshot, Status, checks,
    output::{self, OutputError, Page},
    run,
};
use loopdrill_model::{ExitStatus, Timestamp};
use loopdrill_report::{Screen, Style};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
pub(crate) use target::survey;

/// Options of `loopdrill check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Judge these manifests, or all in these folders, before they are applied; `-` is standard input
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
    /// Show findings by check, or by object with all that is to be done there
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// Also write a component for kustomize into this new folder, with a patch for all that can be patched
    #[arg(long, value_name = "DIR")]
    fix: Option<PathBuf>,
    /// Checks that could not be judged for want of access, and that there is nothing to judge, count as failures
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
  helm template CHART | loopdrill check -            what a chart makes; the same with `kustomize build DIR`
  loopdrill check deploy/ --by object --fix patches  by object, and a component for kustomize that mends
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

On an object, the same as an annotation; several are separated by `;`:
  loopdrill.dev/ignore: 'CO-04: replaced in January until 2027-01-31'

Exit codes: 0 ready   1 a check failed   2 usage, configuration or manifests   3 no cluster";

/// How the table is ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// One entry a check
    #[default]
    Check,
    /// One entry an object, worst first, with patches and remedies
    Object,
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
    /// SARIF 2.1.0, by GitHub's rules
    Sarif,
    /// Notes for a workflow of GitHub Actions, which shows them at their lines
    Github,
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
    let results = results(&snapshot, &selection);
    let text =
        text(args.output, args.by, &results, &snapshot).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    print(&text)?;
    tell(args.output, &results, &snapshot);
    if let Some(dir) = &args.fix {
        fix::write(dir, &results, &snapshot)?;
    }
    Ok(exit(&results, &snapshot, args.require))
}

/// Prints a report. A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("cannot write the report: {e}")))
        }
        _ => Ok(()),
    }
}

/// What the checks say. Where there is nothing to judge, no check can pass.
fn results(snapshot: &Snapshot, selection: &Selection) -> Results {
    if nothing(snapshot) { Results::default() } else { run(snapshot, selection) }
}

/// Whether manifests were looked for and none was found.
fn nothing(snapshot: &Snapshot) -> bool {
    snapshot.scan.as_ref().is_some_and(|s| s.objects == 0)
}

fn exit(results: &Results, snapshot: &Snapshot, require: bool) -> ExitStatus {
    let broken = snapshot.scan.as_ref().is_some_and(|s| !s.broken.is_empty());
    let blind = require && (nothing(snapshot) || results.checks.iter().any(|c| c.blind));
    let judged =
        if blind || results.count(Status::Fail) > 0 { ExitStatus::NotReady } else { ExitStatus::Ready };
    if broken { judged.worst(ExitStatus::Usage) } else { judged }
}

fn text(how: Output, by: By, results: &Results, snapshot: &Snapshot) -> Result<String, OutputError> {
    let page = page();
    Ok(match (how, by) {
        (Output::Table, By::Check) => output::table(results, snapshot, page),
        (Output::Table, By::Object) => output::by_object(results, snapshot, page),
        (Output::Json, _) => output::json(results, snapshot)?,
        (Output::Junit, _) => output::junit(results)?,
        (Output::Sarif, _) => output::sarif(results, snapshot)?,
        (Output::Github, _) => output::github(results),
        (Output::Markdown, _) => output::markdown(results, snapshot),
    })
}

/// Eighty columns, or fewer where the terminal has fewer.
fn page() -> Page {
    let screen = Screen::stdout();
    let default = Page::default();
    Page { width: screen.width.min(default.width), colours: screen.style == Style::coloured() }
}

/// GitHub shows so many results of a SARIF file, and takes so many.
const GITHUB: (usize, usize) = (5_000, 25_000);

/// What is to be said beside the report: what is wrong with files, and what a reader of the report would not see.
fn tell(how: Output, results: &Results, snapshot: &Snapshot) {
    let scan = snapshot.scan.as_ref();
    for broken in scan.iter().flat_map(|s| &s.broken) {
        eprintln!("error: {}", located(&broken.file, &broken.why));
    }
    if nothing(snapshot) {
        eprintln!("nothing to judge: no object that a check knows was found");
        for file in scan.iter().flat_map(|s| s.to_render.iter().chain(&s.no_manifests)) {
            eprintln!("  {}", located(&file.file, &file.why));
        }
    }
    let found = results.findings().count();
    if how == Output::Sarif && found > GITHUB.0 {
        let does = if found > GITHUB.1 { "refuses" } else { "shows only the worst 5,000 of" };
        eprintln!(
            "{found} results: GitHub {does} them; check fewer folders at a time, or --min-severity high"
        );
    }
}

/// A file and what is to be said about it; errors of a parser begin with the file already.
fn located(file: &str, why: &str) -> String {
    if why.starts_with(file) { why.into() } else { format!("{file}: {why}") }
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
    manifests::read(&args.manifests, config)
}

fn load(path: &Path) -> Result<Snapshot, Failure> {
    let snapshot: Snapshot = serde_json::from_str(&read(path)?).map_err(|e| {
        Failure::usage(format!("{} is no snapshot that `check --save` wrote: {e}", path.display()))
    })?;
    if snapshot.format > Snapshot::FORMAT {
        return Err(Failure::usage(format!(
            "{} has format {}, and this build reads up to {}; take it anew",
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
