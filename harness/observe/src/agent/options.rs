//! Options of the agent.

use crate::metrics::etcd;
use std::path::PathBuf;
use std::time::Duration;

/// What to observe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Counters,
    Etcd,
    Probe,
}

/// How to observe it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Options {
    pub(super) command: Command,
    pub(super) node: String,
    pub(super) interval: Duration,
    pub(super) until_eof: bool,
    pub(super) etcd_port: u16,
    pub(super) peers: PathBuf,
}

/// Why the options are of no use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum OptionsError {
    #[error("say what to observe")]
    NoCommand,
    #[error("`{0}` is unknown")]
    Unknown(String),
    #[error("{0} needs a value")]
    NoValue(String),
    #[error("`{value}` is no value for {option}")]
    BadValue { option: String, value: String },
    #[error("say on which node, with --node or NODE_NAME")]
    NoNode,
}

impl Options {
    pub(super) fn parse(args: &[String], node: Option<String>) -> Result<Self, OptionsError> {
        let mut args = args.iter();
        let command = match args.next().map(String::as_str) {
            Some("counters") => Command::Counters,
            Some("etcd") => Command::Etcd,
            Some("probe") => Command::Probe,
            Some(other) => return Err(OptionsError::Unknown(other.into())),
            None => return Err(OptionsError::NoCommand),
        };
        let mut options = Self {
            command,
            node: node.unwrap_or_default(),
            interval: Duration::from_secs(1),
            until_eof: false,
            etcd_port: etcd::PORT,
            peers: PathBuf::from("/run/loopdrill/peers"),
        };
        while let Some(option) = args.next() {
            if option == "--until-eof" {
                options.until_eof = true;
                continue;
            }
            let value = args.next().ok_or_else(|| OptionsError::NoValue(option.clone()))?;
            options.set(option, value)?;
        }
        if options.node.is_empty() { Err(OptionsError::NoNode) } else { Ok(options) }
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), OptionsError> {
        let bad = || OptionsError::BadValue { option: option.into(), value: value.into() };
        match option {
            "--node" => self.node = value.into(),
            "--interval" => self.interval = duration(value).ok_or_else(bad)?,
            "--etcd-port" => self.etcd_port = value.parse().map_err(|_| bad())?,
            "--peers" => self.peers = value.into(),
            other => return Err(OptionsError::Unknown(other.into())),
        }
        Ok(())
    }
}

/// `1s`, `500ms`; between 50 ms and an hour.
fn duration(text: &str) -> Option<Duration> {
    let millis = match text.strip_suffix("ms") {
        Some(number) => number.parse::<u64>().ok()?,
        None => text.strip_suffix('s')?.parse::<u64>().ok()?.checked_mul(1000)?,
    };
    (50..=3_600_000).contains(&millis).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, OptionsError> {
        Options::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>(), None)
    }

    #[test]
    fn reads_what_the_observer_passes() {
        let options =
            parse(&["counters", "--node", "n1", "--interval", "500ms", "--until-eof"]).expect("good");
        assert_eq!(options.command, Command::Counters);
        assert_eq!((options.node.as_str(), options.until_eof), ("n1", true));
        assert_eq!(options.interval, Duration::from_millis(500));
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(parse(&[]), Err(OptionsError::NoCommand));
        assert_eq!(parse(&["probes"]), Err(OptionsError::Unknown("probes".into())));
        assert_eq!(parse(&["etcd"]), Err(OptionsError::NoNode));
        assert_eq!(parse(&["etcd", "--node"]), Err(OptionsError::NoValue("--node".into())));
        for bad in ["1", "0s", "-1s", "1h", "99999s", "ms"] {
            let error = parse(&["etcd", "--interval", bad, "--node", "n"]);
            assert!(matches!(error, Err(OptionsError::BadValue { .. })), "{bad}: {error:?}");
        }
    }
}
