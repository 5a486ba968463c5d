//! Documented exceptions at work: those of the configuration and those that objects carry as an annotation are one
//! notion, [`Exception`]. What hides nothing any more, or names what does not exist, is told.

use crate::{
    check::Remark,
    checks,
    config::{Config, Exception},
    snapshot::Snapshot,
};
use jiff::civil::Date;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

/// The annotation by which an object is excepted: `CO-04: replaced in January until 2027-01-31`, several of them
/// separated by `;` or on lines of their own.
pub const ANNOTATION: &str = "loopdrill.dev/ignore";

/// What an entry of the annotation must look like.
const FORM: &str = "write it as `CO-04: why it is accepted until 2027-01-31`";

/// An exception, and whether a finding needed it.
struct Known {
    exception: Exception,
    used: Cell<bool>,
}

/// All exceptions of a run.
pub(crate) struct Exceptions {
    configured: Vec<Known>,
    annotated: BTreeMap<String, Vec<Known>>,
    remarks: Vec<Remark>,
}

impl Exceptions {
    /// Those of the configuration, and those in the snapshot's annotations that hold on the day it was taken.
    pub(crate) fn of(config: &Config, snapshot: &Snapshot) -> Self {
        let today = snapshot.taken_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let known = |exception: &Exception| Known { exception: exception.clone(), used: Cell::new(false) };
        let holds = |e: &&Exception| e.expires >= today;
        let mut all = Self {
            configured: config.exceptions.iter().filter(holds).map(known).collect(),
            annotated: BTreeMap::new(),
            remarks: Vec::new(),
        };
        for (object, text) in &snapshot.ignored {
            all.annotation(object, text, today);
        }
        all
    }

    fn annotation(&mut self, object: &str, text: &str, today: Date) {
        for entry in text.split([';', '\n']).map(str::trim).filter(|e| !e.is_empty()) {
            match of_annotation(object, entry, today) {
                Ok(exception) => self
                    .annotated
                    .entry(object.into())
                    .or_default()
                    .push(Known { exception, used: Cell::new(false) }),
                Err(text) => self.remarks.push(Remark { at: object.into(), text }),
            }
        }
    }

    /// The exception that accepts what `check` found at `object`.
    pub(crate) fn accepting(&self, check: &str, object: &str) -> Option<&Exception> {
        let own = self.annotated.get(object).into_iter().flatten();
        let known = own.chain(&self.configured).find(|k| k.exception.covers(check, object))?;
        known.used.set(true);
        Some(&known.exception)
    }

    /// What is to be said about them after these checks have looked.
    pub(crate) fn remarks(self, looked: &BTreeSet<&str>) -> Vec<Remark> {
        let unused = |k: &&Known| !k.used.get() && looked.contains(k.exception.check.as_str());
        let configured = self.configured.iter().filter(unused).map(|k| {
            let of = k.exception.object.as_ref().map(|o| format!(" of {o:?}")).unwrap_or_default();
            unneeded("the configuration", &k.exception.check, &of)
        });
        let annotated = self.annotated.iter().flat_map(|(object, all)| {
            all.iter().filter(unused).map(|k| unneeded(object, &k.exception.check, ""))
        });
        let mut all: Vec<_> = configured.chain(annotated).collect();
        all.extend(self.remarks);
        all
    }
}

fn unneeded(at: &str, check: &str, of: &str) -> Remark {
    Remark { at: at.into(), text: format!("nothing needs the exception for {check}{of}; remove it") }
}

/// One entry of an object's annotation.
fn of_annotation(object: &str, entry: &str, today: Date) -> Result<Exception, String> {
    let told = |what: String| format!("{ANNOTATION}: {what}");
    let (id, rest) =
        entry.split_once(':').ok_or_else(|| told(format!("{entry:?} is not understood; {FORM}")))?;
    let check = checks::by_id(id.trim()).ok_or_else(|| {
        told(format!("there is no check {:?}; `loopdrill check --list` names them", id.trim()))
    })?;
    let (reason, day) =
        rest.rsplit_once("until ").ok_or_else(|| told(format!("{id} has no last day; {FORM}")))?;
    let expires: Date =
        day.trim().parse().map_err(|_| told(format!("{:?} is no day; {FORM}", day.trim())))?;
    let reason = reason.trim().trim_end_matches(',').to_string();
    if reason.is_empty() {
        return Err(told(format!("{id} has no reason; {FORM}")));
    }
    if expires < today {
        return Err(told(format!(
            "the exception for {id} expired on {expires}; remedy it, or give a new date with a new reason"
        )));
    }
    Ok(Exception { check: check.id.into(), object: Some(object.into()), reason, expires })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::Status,
        run::{Selection, run},
        testing::Scene,
    };
    use serde_json::json;

    fn with(annotation: &str) -> crate::Results {
        let object = json!({
            "metadata": {"name": "cart", "namespace": "shop", "annotations": {ANNOTATION: annotation}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c"}]}}},
        });
        run(&Scene::cluster().object(crate::Input::Deployments, object).build(), &Selection::default())
    }

    fn told(annotation: &str) -> String {
        let results = with(annotation);
        assert_eq!(results.get("CO-01").map(|c| c.status), Some(Status::Fail), "{annotation}");
        assert!(results.exceptions.iter().all(|r| r.at == "Deployment shop/cart"));
        results.exceptions.iter().map(|r| r.text.clone()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_annotation_excepts_its_own_object_until_its_day() {
        let results = with("co-01: goes in January, until 2026-11-24; CO-02: as well until 2027-01-31\n");
        for (id, reason) in [("CO-01", "goes in January"), ("CO-02", "as well")] {
            let result = results.get(id).expect("there");
            assert_eq!(result.status, Status::Skip, "{id}");
            assert!(result.evidence[0].value.ends_with(reason), "{:?}", result.evidence);
        }
        assert_eq!(results.exceptions, []);
        assert_eq!(results.findings().filter(|(c, _)| c.id == "CO-01").count(), 0);
    }

    #[test]
    fn what_is_wrong_with_an_annotation_is_told_and_hides_nothing() {
        assert!(told("CO-01: legacy until 2026-11-23").contains("expired on 2026-11-23"));
        assert!(told("CO-99: legacy until 2027-01-31").contains("there is no check \"CO-99\""));
        assert!(told("CO-01: until 2027-01-31").contains("CO-01 has no reason"));
        assert!(told("CO-01: legacy").contains("CO-01 has no last day"));
        assert!(told("CO-01: legacy until soon").contains("\"soon\" is no day"));
        assert!(told("CO-01").contains("is not understood"));
        assert!(
            told("NE-05: x until 2027-01-31; ID-01: x until 2027-01-31")
                .contains("needs the exception for ID-01")
        );
    }

    #[test]
    fn an_exception_of_the_configuration_that_hides_nothing_is_told() {
        let text = "exceptions: [{check: CO-01, object: 'Deployment shop/c*', reason: x, expires: 2027-01-01}, \
                    {check: CO-01, object: 'Deployment shop/x', reason: x, expires: 2027-01-01}]";
        let config = Config::parse("c", text, Date::constant(2026, 11, 24)).expect("good");
        let scene = Scene::cluster().deployment("cart", 1, json!({"containers": [{"name": "c"}]}));
        let results = run(&scene.build(), &Selection { config, ..Selection::default() });
        let told: Vec<_> = results.exceptions.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(told, ["nothing needs the exception for CO-01 of \"Deployment shop/x\"; remove it"]);
    }
}
