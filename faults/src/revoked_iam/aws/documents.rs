//! What a role becomes when it is revoked. Pure.

use jiff::Timestamp;
use loopdrill_aws::RoleState;
use loopdrill_cluster::aws::AwsTarget;
use serde_json::{Value, json};

/// The name that AWS' console gives to the policy by which it revokes sessions.
pub(crate) const REVOKES_SESSIONS: &str = "AWSRevokeOlderSessions";
/// Characters that a role's inline policies may have together, without white space.
const MOST_INLINE: usize = 10_240;

/// All sessions that began before `now` are denied everything.
pub(super) fn sessions_revoked(role: &RoleState, now: Timestamp) -> Result<RoleState, String> {
    if role.inline.contains_key(REVOKES_SESSIONS) {
        return Err(format!(
            "it has the policy {REVOKES_SESSIONS} already; somebody revoked its sessions before"
        ));
    }
    let now = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny", "Action": ["*"], "Resource": ["*"],
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}},
        }],
    });
    let mut after = role.clone();
    after.inline.insert(REVOKES_SESSIONS.into(), policy.to_string());
    match after.inline_size() {
        size if size > MOST_INLINE => Err(format!(
            "its inline policies have {} characters and {MOST_INLINE} are the most, so none can be added",
            role.inline_size()
        )),
        _ => Ok(after),
    }
}

/// Nobody but the account's own administrators may take the role on.
pub(super) fn trust_cut(role: &RoleState, target: &AwsTarget) -> Result<RoleState, String> {
    let before: Value = serde_json::from_str(&role.trust)
        .map_err(|e| format!("its trust policy is no JSON ({e}), so that it could not be put back"))?;
    if let Some(ghost) = ghost(&before) {
        return Err(format!(
            "its trust policy names {ghost}, which does not exist any more, so that AWS would not take it back"
        ));
    }
    let root = format!("arn:{}:iam::{}:root", target.partition(), target.account_id);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"}],
    });
    Ok(RoleState { trust: trust.to_string(), ..role.clone() })
}

/// The role may do nothing any more: managed policies are detached, inline ones deleted.
pub(super) fn permissions_gone(role: &RoleState) -> Result<RoleState, String> {
    if role.attached.is_empty() && role.inline.is_empty() {
        return Err("it has no permission policy, so none can be taken away".into());
    }
    Ok(RoleState { attached: [].into(), inline: [].into(), ..role.clone() })
}

/// The id that AWS shows in place of a principal that was deleted.
fn ghost(policy: &Value) -> Option<&str> {
    match policy {
        Value::String(text) => {
            let is_id =
                |t: &str| t.len() >= 16 && t.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            ["AROA", "AIDA"].iter().any(|kind| text.starts_with(kind) && is_id(text)).then_some(text)
        }
        Value::Array(all) => all.iter().find_map(ghost),
        Value::Object(all) => all.values().find_map(ghost),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_aws::Part;
    use std::path::Path;

    fn role() -> RoleState {
        RoleState {
            trust: r#"{"Statement": {"Principal": {"Federated": "arn:aws:iam::1:oidc-provider/x"}}}"#.into(),
            attached: ["arn:aws:iam::1:policy/p".to_owned()].into(),
            inline: [("reads".to_owned(), "{}".to_owned())].into(),
            tags: [("team".to_owned(), "a".to_owned())].into(),
        }
    }

    fn target() -> AwsTarget {
        let text = "account_id: \"123456789012\"\nregion: us-east-1\nroles: [a]\nbucket: b\n";
        AwsTarget::parse(Path::new("aws.yaml"), text).expect("good")
    }

    #[test]
    fn each_way_changes_its_own_part_alone() {
        let now = Timestamp::from_second(1_800_000_000).expect("in range");
        let revoked = sessions_revoked(&role(), now).expect("possible");
        assert_eq!(role().parts_that_differ(&revoked), [Part::Inline(REVOKES_SESSIONS.into())]);
        assert!(
            revoked.inline[REVOKES_SESSIONS].contains(r#""aws:TokenIssueTime":"2027-01-15T08:00:00.000Z""#)
        );
        let cut = trust_cut(&role(), &target()).expect("possible");
        assert_eq!(role().parts_that_differ(&cut), [Part::Trust]);
        let gone = permissions_gone(&role()).expect("possible");
        assert_eq!(role().parts_that_differ(&gone).len(), 2);
        assert_eq!(gone.tags, role().tags);
    }

    #[test]
    fn what_could_not_be_undone_or_would_change_nothing_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        let revoked = sessions_revoked(&role(), now).expect("possible");
        assert!(sessions_revoked(&revoked, now).is_err());
        let mut full = role();
        full.inline.insert("long".into(), "x".repeat(MOST_INLINE - 20));
        assert!(sessions_revoked(&full, now).expect_err("full").contains("10240"));
        assert!(permissions_gone(&RoleState::default()).is_err());
        let ghost =
            RoleState { trust: r#"{"Principal": {"AWS": ["AROAJQABLZS4A3QDU576Q"]}}"#.into(), ..role() };
        assert!(trust_cut(&ghost, &target()).expect_err("ghost").contains("AROAJQABLZS4A3QDU576Q"));
        assert!(trust_cut(&RoleState::default(), &target()).is_err());
    }
}
