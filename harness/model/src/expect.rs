//! What a drill expects of a detector, and whether an answer is right. The live run, a replayed recording and the
//! confusion matrix judge by the same few lines.

use crate::{Cause, Diagnosis, Loop, named};
use serde::{Deserialize, Serialize};
use std::fmt;

named! {
    /// Which set of drills one belongs to.
    #[derive(Default)]
    pub enum Group {
        /// One of the canonical faults, or the drill that injects nothing.
        #[default]
        Canonical = "canonical",
        /// The symptom of a canonical fault, of another cause.
        Decoy = "decoy",
        /// One cause that shows in several loops, or several causes at once.
        Domino = "domino",
    }
}

/// One root cause that must be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The loop that must be blamed.
    #[serde(rename = "loop")]
    pub control_loop: Loop,
    /// The causes that are right answers; a detector that names no cause is judged by the loop alone.
    pub causes: Vec<Cause>,
}

impl Root {
    /// Whether `d` names this root.
    #[must_use]
    pub fn is_named_by(&self, d: &Diagnosis) -> bool {
        d.control_loop == self.control_loop && d.cause.is_none_or(|c| self.causes.contains(&c))
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes: Vec<_> = self.causes.iter().map(|c| c.name()).collect();
        write!(f, "{} ({})", self.control_loop, causes.join(" or "))
    }
}

/// The right answer to a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Which set of drills it belongs to.
    pub group: Group,
    /// What must be named. None: nothing is wrong, and any finding is a false one.
    pub roots: Vec<Root>,
    /// The loops of the chain that must be told, from the root on, in this order; more between them is fine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Loop>,
}

impl Expectation {
    /// The loop that the first of the roots lies in; `None` where silence is the right answer.
    #[must_use]
    pub fn control_loop(&self) -> Option<Loop> {
        self.roots.first().map(|root| root.control_loop)
    }

    /// Whether silence is the right answer.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.roots.is_empty()
    }

    /// Judges findings in a drill's scope, by falling confidence.
    ///
    /// # Errors
    /// Why the answer is wrong, in one sentence. One root must be on top; what is listed below it does not matter.
    /// Of several roots each must be named, in any order, and nothing else. Where a chain is expected, it must be
    /// told by the finding on top.
    pub fn judge(&self, found: &[Diagnosis]) -> Result<(), String> {
        let said = || found.first().map_or_else(|| "nothing".into(), blame);
        let expected: Vec<_> = self.roots.iter().map(Root::to_string).collect();
        match self.roots.as_slice() {
            [] if found.is_empty() => Ok(()),
            [] => Err(format!("expected no finding, the detector blamed {}", said())),
            [root] if found.first().is_some_and(|top| root.is_named_by(top)) => self.judge_chain(&found[0]),
            [root] => Err(format!("expected {root}, the detector blamed {}", said())),
            roots => {
                let missing = roots.iter().find(|root| !found.iter().any(|d| root.is_named_by(d)));
                let third = found.iter().find(|d| !roots.iter().any(|root| root.is_named_by(d)));
                match (missing, third) {
                    (None, None) => Ok(()),
                    (Some(root), _) => {
                        Err(format!("expected {}, {root} was not named", expected.join(" and ")))
                    }
                    (None, Some(d)) => Err(format!(
                        "expected {} and nothing else, {} was named",
                        expected.join(" and "),
                        blame(d)
                    )),
                }
            }
        }
    }

    fn judge_chain(&self, top: &Diagnosis) -> Result<(), String> {
        let mut told = top.chain.iter().map(|link| link.control_loop);
        let begins = self.chain.is_empty() || told.clone().next() == self.chain.first().copied();
        if begins && self.chain.iter().all(|wanted| told.any(|l| l == *wanted)) {
            return Ok(());
        }
        let path = |loops: Vec<Loop>| match loops.as_slice() {
            [] => "none".into(),
            loops => loops.iter().map(|l| l.name()).collect::<Vec<_>>().join(" → "),
        };
        let told = top.chain.iter().map(|link| link.control_loop).collect();
        Err(format!(
            "the root is right; expected the chain {}, told was {}",
            path(self.chain.clone()),
            path(told)
        ))
    }
}

fn blame(d: &Diagnosis) -> String {
    format!("{} ({})", d.control_loop, d.cause.map_or("no cause named", |c| c.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChainLink, Timestamp};

    fn finding(cause: Cause) -> Diagnosis {
        Diagnosis {
            control_loop: cause.control_loop(),
            cause: Some(cause),
            subjects: vec![],
            confidence: 0.9,
            evidence: vec![],
            chain: vec![],
            first_evidence_at: Timestamp::UNIX_EPOCH,
            diagnosed_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn expect(causes: &[Cause]) -> Expectation {
        let roots = causes.iter().map(|c| Root { control_loop: c.control_loop(), causes: vec![*c] });
        Expectation { roots: roots.collect(), ..Expectation::default() }
    }

    #[test]
    fn one_root_must_be_on_top_and_may_have_others_below() {
        let expected = expect(&[Cause::OverlayMtu]);
        let (right, wrong) = (finding(Cause::OverlayMtu), finding(Cause::DnsFailure));
        assert_eq!(expected.judge(&[right.clone(), wrong.clone()]), Ok(()));
        let why =
            expected.judge(&[wrong.clone(), right.clone()]).expect_err("the loop is right, the cause is not");
        assert_eq!(why, "expected network (overlay-mtu), the detector blamed network (dns-failure)");
        assert!(expected.judge(&[]).is_err());
        let loop_only = Diagnosis { cause: None, ..right };
        assert_eq!(expected.judge(&[loop_only]), Ok(()));
    }

    #[test]
    fn of_two_roots_both_must_be_named_and_no_third() {
        let expected = expect(&[Cause::RbacDenied, Cause::Fragmentation]);
        let [a, b, c] = [Cause::RbacDenied, Cause::Fragmentation, Cause::NodeDown].map(finding);
        assert_eq!(expected.judge(&[b.clone(), a.clone()]), Ok(()));
        assert_eq!(
            expected.judge(&[b.clone(), a.clone(), b.clone()]),
            Ok(()),
            "twice is still the same root"
        );
        assert!(expected.judge(std::slice::from_ref(&a)).is_err());
        assert!(expected.judge(&[a, b, c]).is_err());
    }

    #[test]
    fn silence_is_broken_by_anything() {
        let expected = Expectation::default();
        assert!(expected.is_silence());
        assert_eq!(expected.judge(&[]), Ok(()));
        assert!(expected.judge(&[finding(Cause::ApplicationExit)]).is_err());
    }

    #[test]
    fn a_chain_is_told_in_order_and_from_its_root() {
        let mut expected = expect(&[Cause::NodeDown]);
        expected.chain = vec![Loop::Compute, Loop::Storage, Loop::Compute];
        let told = |loops: &[Loop]| {
            let link = |l: &Loop| ChainLink { control_loop: *l, what: String::new(), subjects: vec![] };
            let chain = loops.iter().map(link).collect();
            expected.judge(&[Diagnosis { chain, ..finding(Cause::NodeDown) }])
        };
        use Loop::*;
        assert_eq!(told(&[Compute, Compute, Storage, Network, Compute]), Ok(()));
        assert!(told(&[Storage, Compute, Storage, Compute]).is_err(), "it begins elsewhere");
        let why = told(&[Compute, Storage]).expect_err("its end is missing");
        assert!(why.ends_with("chain compute → storage → compute, told was compute → storage"), "{why}");
        assert!(told(&[]).expect_err("there is none").ends_with("told was none"));
    }

    #[test]
    fn it_survives_its_file_form() {
        let mut expected = expect(&[Cause::NodeDown]);
        (expected.group, expected.chain) = (Group::Domino, vec![Loop::Compute, Loop::Storage]);
        let text = serde_json::to_string(&expected).expect("plain data");
        let wanted = r#"{"group":"domino","roots":[{"loop":"compute","causes":["node-down"]}],"chain":["compute","storage"]}"#;
        assert_eq!(text, wanted);
        assert_eq!(serde_json::from_str::<Expectation>(&text).expect("its own form"), expected);
    }
}
