//! Options of the agent.

use crate::metrics::etcd;
use clap::{Parser, ValueEnum, builder::NonEmptyStringValueParser};
use std::{path::PathBuf, time::Duration};

/// What to observe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Command {
    Counters,
    Etcd,
    Probe,
}

/// Prints what it observes on a node.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "loopdrill observer")]
pub struct Options {
    /// What to observe
    pub(super) command: Command,
    /// On which node
    #[arg(long, env = "NODE_NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(super) node: String,
    /// How often, such as 1s or 500ms
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(super) interval: Duration,
    /// End with standard input
    #[arg(long)]
    pub(super) until_eof: bool,
    /// The port of etcd's metrics
    #[arg(long, default_value_t = etcd::PORT)]
    pub(super) etcd_port: u16,
    /// The file of all nodes' probes
    #[arg(long, default_value = "/run/loopdrill/peers")]
    pub(super) peers: PathBuf,
}

/// `1s`, `500ms`; between 50 ms and an hour.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let millis = match text.strip_suffix("ms") {
        Some(number) => number.parse::<u64>().ok(),
        None => text.strip_suffix('s').and_then(|n| n.parse::<u64>().ok()?.checked_mul(1000)),
    };
    let fits = millis.filter(|millis| (50..=3_600_000).contains(millis));
    fits.map(Duration::from_millis).ok_or("say it like 1s or 500ms, between 50 ms and an hour")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, String> {
        Options::try_parse_from(["observer"].iter().chain(args)).map_err(|e| e.to_string())
    }

    #[test]
    fn reads_what_the_observer_passes() {
        let options =
            parse(&["counters", "--node", "n1", "--interval", "500ms", "--until-eof"]).expect("good");
        assert_eq!(options.command, Command::Counters);
        assert_eq!((options.node.as_str(), options.until_eof), ("n1", true));
        assert_eq!(options.interval, Duration::from_millis(500));
        let defaults = parse(&["etcd", "--node", "n1"]).expect("good");
        assert_eq!((defaults.etcd_port, defaults.interval), (etcd::PORT, Duration::from_secs(1)));
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |args: &[&str]| parse(args).expect_err("refused");
        assert!(error(&["--node", "n"]).contains("<COMMAND>"));
        assert!(error(&["probes", "--node", "n"]).contains("'probes'"));
        assert!(error(&["etcd"]).contains("--node"));
        assert!(error(&["etcd", "--node", ""]).contains("--node"));
        for bad in ["1", "0s", "-1s", "1h", "99999s", "ms"] {
            let error = error(&["etcd", &format!("--interval={bad}"), "--node", "n"]);
            assert!(error.contains("between 50 ms and an hour"), "{bad}: {error}");
        }
    }
}
