//! `loopdrill rules`.

use crate::Failure;
use loopdrill_model::ExitStatus;
use loopdrill_rules::Pack;

/// Options of `loopdrill rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which form
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The window of rates, in seconds: at least four scrape intervals
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(4..=3600))]
    window: u64,
    /// Between two evaluations, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Namespace of the PrometheusRule
    #[arg(long, default_value = "monitoring")]
    namespace: String,
    /// The rule file that the tests name
    #[arg(long, value_name = "FILE", default_value = "loopdrill-rules.yaml")]
    rules_file: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A rule file of Prometheus
    #[default]
    Rules,
    /// A PrometheusRule of the Prometheus operator
    Prometheusrule,
    /// Unit tests for `promtool test rules`
    Tests,
    /// A Grafana dashboard: what fires in each loop, and each alert's series with its threshold
    Grafana,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill rules >loopdrill-rules.yaml && promtool check rules loopdrill-rules.yaml
  loopdrill rules --format tests >tests.yaml && promtool test rules tests.yaml
  loopdrill rules --format prometheusrule --namespace monitoring | kubectl apply -f -
  loopdrill rules --format grafana >loopdrill.json   # for Grafana's import";

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
    let pack = Pack { window: args.window, interval: args.interval };
    print!(
        "{}",
        match args.format {
            Format::Rules => pack.rules(),
            Format::Prometheusrule => pack.prometheus_rule(&args.namespace),
            Format::Tests => pack.tests(&args.rules_file),
            Format::Grafana => pack.grafana(),
        }
    );
    Ok(ExitStatus::Ready)
}
