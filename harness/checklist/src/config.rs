//! The configuration file: documented exceptions with a reason and a date on which they end, and what is the
//! cluster's own.
//!
//! Unknown fields, unknown checks and exceptions past their date are errors that name file and line: an exception
//! that nobody would miss must not hide anything.

use crate::checks;
use jiff::civil::Date;
use serde::Deserialize;

/// The content of a configuration file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// What is accepted, why, and until when.
    pub exceptions: Vec<Exception>,
    /// Namespaces that are not judged, beside those that Kubernetes reserves.
    pub system_namespaces: Vec<String>,
    /// Where metrics go, when that is outside of the cluster and cannot be seen in it.
    pub external_monitoring: Option<String>,
}

/// A documented exception.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The check.
    pub check: String,
    /// The object, as evidence names it; `*` at the end stands for anything. All objects where it is absent.
    #[serde(default)]
    pub object: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// Why a configuration is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not YAML of this form.
    #[error("{file}{}: {why}", line.map(|l| format!(":{l}")).unwrap_or_default())]
    Form {
        /// The file.
        file: String,
        /// The line, where it is known.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// A check that does not exist.
    #[error("{file}:{line}: there is no check {id:?}; `loopdrill check --list` names them")]
    UnknownCheck {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What was written.
        id: String,
    },
    /// An exception without a reason.
    #[error("{file}:{line}: the exception for {id} has no reason; write down why it is accepted")]
    NoReason {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The check.
        id: String,
    },
    /// An exception past its date.
    #[error(
        "{file}:{line}: the exception for {id} expired on {on}; remedy it, or give a new date with a new reason"
    )]
    Expired {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The check.
        id: String,
        /// Its last day.
        on: Date,
    },
}

impl Config {
    /// Reads a configuration; `today` decides what has expired.
    ///
    /// # Errors
    /// [`ConfigError`], the first there is, with file and line.
    pub fn parse(file: &str, text: &str, today: Date) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Option<Self> = serde_yaml::from_str(text).map_err(|e| ConfigError::Form {
            file: file.into(),
            line: e.location().map(|l| l.line()),
            why: e.to_string(),
        })?;
        let config = config.unwrap_or_default();
        let lines = lines_of_checks(text);
        for (at, exception) in config.exceptions.iter().enumerate() {
            exception.judge(file, lines.get(at).copied().unwrap_or(1), today)?;
        }
        Ok(config)
    }
}

impl Exception {
    fn judge(&self, file: &str, line: usize, today: Date) -> Result<(), ConfigError> {
        let (file, id) = (file.to_string(), self.check.clone());
        if checks::by_id(&id).is_none() {
            return Err(ConfigError::UnknownCheck { file, line, id });
        }
        if self.reason.trim().is_empty() {
            return Err(ConfigError::NoReason { file, line, id });
        }
        if self.expires < today {
            return Err(ConfigError::Expired { file, line, id, on: self.expires });
        }
        Ok(())
    }

    /// Whether it accepts what `check` found at `object`.
    pub(crate) fn covers(&self, check: &str, object: &str) -> bool {
        if self.check != check {
            return false;
        }
        match self.object.as_deref() {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => object.starts_with(start),
                None => object == pattern,
            },
        }
    }
}

/// The lines on which exceptions name their check, in their order.
fn lines_of_checks(text: &str) -> Vec<usize> {
    let names_check = |line: &str| {
        let line = line.trim_start().trim_start_matches(['-', '{', ' ']);
        line.starts_with("check:") || line.contains("{check:") || line.contains(" check:")
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with('#') && names_check(line))
        .map(|(at, _)| at + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse("c.yaml", text, Date::constant(2026, 11, 24))
    }

    fn error(text: &str) -> String {
        parse(text).expect_err("it is wrong").to_string()
    }

    #[test]
    fn an_exception_holds_for_its_check_and_objects() {
        let config = parse(
            "exceptions:\n- {check: CO-01, object: 'Deployment shop/*', reason: moved next week, expires: 2026-12-01}\n",
        )
        .expect("good");
        let exception = &config.exceptions[0];
        assert!(exception.covers("CO-01", "Deployment shop/cart"));
        assert!(!exception.covers("CO-02", "Deployment shop/cart"));
        assert!(!exception.covers("CO-01", "Deployment bank/cart"));
        assert_eq!(parse(""), Ok(Config::default()));
        assert_eq!(parse("# nothing\n"), Ok(Config::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let of = |check: &str, reason: &str, day: &str| {
            error(&format!(
                "# ours\nexceptions:\n  - check: CO-02\n    reason: x\n    expires: 2027-01-01\n\
                 \x20 - check: {check}\n    reason: {reason}\n    expires: {day}\n"
            ))
        };
        let unknown = of("CO-99", "x", "2027-01-01");
        assert!(unknown.starts_with("c.yaml:6: there is no check \"CO-99\""), "{unknown}");
        let expired = of("CO-01", "x", "2026-11-23");
        assert!(expired.starts_with("c.yaml:6: the exception for CO-01 expired on 2026-11-23"), "{expired}");
        let silent = of("CO-01", "' '", "2027-01-01");
        assert!(silent.starts_with("c.yaml:6: the exception for CO-01 has no reason"), "{silent}");
        let field = error("exceptions: []\nexeptions: []\n");
        assert!(field.starts_with("c.yaml:2") && field.contains("exeptions"), "{field}");
        assert!(error("exceptions:\n- check: CO-01\n  reason: x\n").contains("expires"), "a date is a must");
        assert!(error("- a\n- b\n").starts_with("c.yaml"));
        assert!(error("{{ .Values }}: [").starts_with("c.yaml"));
    }
}
