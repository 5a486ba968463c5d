//! The conditions of policy statements.

use crate::element::{OneOrMany, Scalar, glob};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Operator, key, values.
pub(crate) type Conditions = BTreeMap<String, BTreeMap<String, OneOrMany<Scalar>>>;

/// What is known about a request; names of keys are compared without regard to case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(BTreeMap<String, Vec<String>>);

impl Keys {
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
    }

    pub(crate) fn set_all(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(key.to_lowercase(), values);
    }

    fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

/// Whether all conditions hold; nothing when one of them is not understood.
pub(crate) fn all_hold(conditions: &Conditions, keys: &Keys) -> Option<bool> {
    let mut all = true;
    for (operator, wanted) in conditions {
        for (key, values) in wanted {
            all &= holds(operator, keys.get(key), values)?;
        }
    }
    Some(all)
}

fn holds(operator: &str, actual: Option<&[String]>, wanted: &OneOrMany<Scalar>) -> Option<bool> {
    let (every, operator) = match operator.split_once(':') {
        Some(("ForAllValues", rest)) => (true, rest),
        Some(("ForAnyValue", rest)) => (false, rest),
        Some(_) => return None,
        None => (false, operator),
    };
    if operator == "Null" {
        let absent = actual.is_none_or(<[String]>::is_empty).to_string();
        return Some(wanted.iter().any(|w| w.to_string() == absent));
    }
    let (if_exists, operator) = match operator.strip_suffix("IfExists") {
        Some(rest) => (true, rest),
        None => (false, operator),
    };
    let operator = Operator::named(operator)?;
    let Some(actual) = actual.filter(|all| !all.is_empty()) else {
        return Some(if_exists || every || operator.negated);
    };
    let one = |value: &String| -> Option<bool> {
        let mut any = false;
        for w in wanted.iter() {
            any |= (operator.matches)(value, &w.to_string())?;
        }
        Some(any != operator.negated)
    };
    let each: Option<Vec<bool>> = actual.iter().map(one).collect();
    let each = each?;
    Some(if every { each.iter().all(|b| *b) } else { each.iter().any(|b| *b) })
}

/// Compares the request's value with the policy's; nothing when they cannot be compared.
type Matches = fn(&str, &str) -> Option<bool>;

struct Operator {
    negated: bool,
    matches: Matches,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        let (negated, matches): (bool, Matches) = match name {
            "StringEquals" => (false, |a, w| Some(a == w)),
            "StringNotEquals" => (true, |a, w| Some(a == w)),
            "StringEqualsIgnoreCase" => (false, |a, w| Some(a.eq_ignore_ascii_case(w))),
            "StringNotEqualsIgnoreCase" => (true, |a, w| Some(a.eq_ignore_ascii_case(w))),
            "StringLike" | "ArnLike" | "ArnEquals" => (false, |a, w| Some(glob(w, a))),
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (true, |a, w| Some(glob(w, a))),
            "Bool" => (false, |a, w| Some(a.eq_ignore_ascii_case(w))),
            "DateEquals" => (false, |a, w| Some(date(a)? == date(w)?)),
            "DateNotEquals" => (true, |a, w| Some(date(a)? == date(w)?)),
            "DateLessThan" => (false, |a, w| Some(date(a)? < date(w)?)),
            "DateLessThanEquals" => (false, |a, w| Some(date(a)? <= date(w)?)),
            "DateGreaterThan" => (false, |a, w| Some(date(a)? > date(w)?)),
            "DateGreaterThanEquals" => (false, |a, w| Some(date(a)? >= date(w)?)),
            _ => return None,
        };
        Some(Operator { negated, matches })
    }
}

/// A moment, as policies write it: ISO 8601, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(conditions: serde_json::Value) -> Option<bool> {
        let mut keys = Keys::default();
        keys.set("idp:sub", "system:serviceaccount:drill-1:app");
        keys.set_all("idp:aud", vec!["a".into(), "sts.amazonaws.com".into()]);
        keys.set("aws:CurrentTime", "2026-03-01T00:00:00Z");
        all_hold(&serde_json::from_value(conditions).expect("conditions"), &keys)
    }

    #[test]
    fn all_keys_and_operators_must_hold_and_any_value_will_do() {
        let both = json!({"StringEquals": {"idp:aud": ["x", "sts.amazonaws.com"]},
            "StringLike": {"IDP:SUB": "system:serviceaccount:drill-*:*"}});
        assert_eq!(holds(both), Some(true));
        let one_is_wrong = json!({"StringEquals": {"idp:aud": "sts.amazonaws.com"},
            "StringLike": {"idp:sub": "system:serviceaccount:prod:*"}});
        assert_eq!(holds(one_is_wrong), Some(false));
        assert_eq!(
            holds(json!({"ForAllValues:StringEquals": {"idp:aud": "sts.amazonaws.com"}})),
            Some(false)
        );
        assert_eq!(holds(json!({"StringNotEquals": {"idp:sub": "x"}})), Some(true));
        assert_eq!(holds(json!({"StringNotLike": {"idp:sub": "system:*"}})), Some(false));
        // A pattern is no pattern for StringEquals.
        assert_eq!(holds(json!({"StringEquals": {"idp:sub": "*"}})), Some(false));
    }

    #[test]
    fn an_absent_key_holds_only_where_that_is_asked_for() {
        assert_eq!(holds(json!({"StringEquals": {"idp:amr": "x"}})), Some(false));
        assert_eq!(holds(json!({"StringEqualsIfExists": {"idp:amr": "x"}})), Some(true));
        assert_eq!(holds(json!({"StringNotEquals": {"idp:amr": "x"}})), Some(true));
        assert_eq!(holds(json!({"Null": {"idp:amr": "true"}})), Some(true));
        assert_eq!(holds(json!({"Null": {"idp:sub": true}})), Some(false));
    }

    #[test]
    fn dates_compare_as_moments_and_nonsense_is_not_understood() {
        assert_eq!(
            holds(json!({"DateLessThan": {"aws:CurrentTime": "2026-03-01T01:00:00+00:30"}})),
            Some(true)
        );
        assert_eq!(holds(json!({"DateGreaterThanEquals": {"aws:CurrentTime": "1772323200"}})), Some(true));
        assert_eq!(holds(json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}})), None);
        assert_eq!(holds(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})), None);
        assert_eq!(holds(json!({"ForSomeValues:StringEquals": {"idp:sub": "x"}})), None);
    }
}
