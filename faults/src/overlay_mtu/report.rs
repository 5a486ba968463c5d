//! What the proxy found when it asked its backend, and what that access.

use crate::{Look, look::seen};
use serde::{Deserialize, Serialize};

/// One round of the proxy's own requests: each took so many milliseconds, or failed with these words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Resolving the backend's name.
    pub(super) dns: Result<u64, String>,
    /// Connecting to the backend.
    pub(super) connect: Result<u64, String>,
    /// A small answer through the proxy.
    pub(super) small: Request,
    /// A large answer through the proxy.
    pub(super) large: Request,
}

/// One request as a client of the proxy sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    /// Bytes asked for.
    pub(super) bytes: usize,
    /// Status of the answer; 0 when there was none.
    pub(super) status: u16,
    /// How long it took in milliseconds.
    pub(super) ms: u64,
}

impl Request {
    fn ok(&self) -> bool {
        self.status == 200
    }
}

impl Report {
    fn is_well(&self) -> bool {
        self.dns.is_ok() && self.connect.is_ok() && self.small.ok() && self.large.ok()
    }

    /// The symptom: everything works but large answers, and those time out.
    fn is_broken(&self) -> bool {
        self.dns.is_ok() && self.connect.is_ok() && self.small.ok() && self.large.status == 504
    }

    fn words(&self) -> [(String, String); 4] {
        let took = |result: &Result<u64, String>| match result {
            Ok(ms) => format!("ok after {ms} ms"),
            Err(why) => why.clone(),
        };
        let answer =
            |r: &Request| (format!("GET of {} bytes", r.bytes), format!("{} after {} ms", r.status, r.ms));
        [
            ("name resolution".into(), took(&self.dns)),
            ("TCP connect".into(), took(&self.connect)),
            answer(&self.small),
            answer(&self.large),
        ]
    }
}

/// So many reports show whether requests suffer.
pub(super) const SUFFERING: usize = 4;
/// A request that takes longer waited for something to be sent again.
const SLOW_MS: u64 = 900;

impl Report {
    /// Something failed, or took far longer than on a healthy network.
    fn suffers(&self) -> bool {
        let slow = |r: &Request| !r.ok() || r.ms > SLOW_MS;
        !self.is_well() || slow(&self.small) || slow(&self.large)
    }

    fn fails(&self) -> bool {
        !self.small.ok()
    }
}

/// Judges the last reports by whether requests suffer at all: two that fail at every size, or three of four that
/// suffer in any way.
pub(super) fn judge_suffering(reports: &[Report]) -> Look {
    let Some(last) = reports.last() else {
        return Look::Settling("the proxy has not reported lately".into());
    };
    let words = last.words();
    let suffering = reports.iter().filter(|r| r.suffers()).count();
    let failing = reports.iter().rev().take_while(|r| r.fails()).count();
    if suffering == 0 && reports.len() >= 2 {
        Look::Well
    } else if failing >= 2 || suffering + 1 >= SUFFERING && last.suffers() {
        Look::Broken(words.into_iter().rev().map(|(signal, value)| seen(signal, value)).collect())
    } else {
        Look::Settling(words.map(|(signal, value)| format!("{signal}: {value}")).join(", "))
    }
}

/// Judges the last reports, oldest first.
pub(super) fn judge(reports: &[Report]) -> Look {
    let Some(last) = reports.last() else {
        return Look::Settling("the proxy has not reported lately".into());
    };
    if last.is_well() {
        return Look::Well;
    }
    let words = last.words();
    if reports.len() >= 2 && reports.iter().all(Report::is_broken) {
        // The decisive fact first.
        return Look::Broken(words.into_iter().rev().map(|(signal, value)| seen(signal, value)).collect());
    }
    Look::Settling(words.map(|(signal, value)| format!("{signal}: {value}")).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: u16, ms: u64) -> Report {
        let request = |bytes| Request { bytes, status, ms };
        Report { dns: Ok(1), connect: Ok(1), small: request(64), large: request(65_536) }
    }

    #[test]
    fn requests_suffer_when_two_fail_or_most_are_slow() {
        let (well, slow, failed) = (report(200, 5), report(200, 1_200), report(504, 2_000));
        let judge =
            |reports: &[&Report]| judge_suffering(&reports.iter().map(|r| (*r).clone()).collect::<Vec<_>>());
        assert!(matches!(judge(&[&well, &well, &failed, &failed]), Look::Broken(_)));
        assert!(matches!(judge(&[&slow, &well, &slow, &slow]), Look::Broken(_)));
        assert!(matches!(judge(&[&well, &well, &well, &failed]), Look::Settling(_)), "once is chance");
        assert!(matches!(judge(&[&slow, &slow, &slow, &well]), Look::Settling(_)), "it may be over");
        assert_eq!(judge(&[&well, &well, &well, &well]), Look::Well);
        assert!(matches!(judge(&[&well]), Look::Settling(_)));
        assert!(matches!(judge(&[]), Look::Settling(_)));
    }
}
