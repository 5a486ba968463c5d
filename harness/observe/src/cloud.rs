//! The cloud's side of identity: the roles that pods take on, and what the cloud says to their accounts.
//!
//! A denial in a cloud shows nowhere in the cluster: the container just ends. So the roles of the given account are
//! read for as long as pods name them, and for an account whose containers fail the cloud is asked the question that
//! the container asked, with a fresh token of that account. Neither tokens nor sessions leave the function that has
//! them; of policies only names, fingerprints and what they amount to.

use crate::crash;
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use loopdrill_aws::{CloudError, Iam, PROBE, RoleState, WebIdentityClient};
use loopdrill_cluster::aws::AwsTarget;
use loopdrill_model::signal::{CloudAnswer, CloudRole, CloudWord, Pod};
use loopdrill_model::{Signal, Source, Subject};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

const PERIOD: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(8);
/// A new failure is asked about so long after the last round at the latest, and many at once in one.
const SOON: Duration = Duration::from_millis(500);
/// The cloud is asked for an account as long as its last failure is not older. Back-off grows to five minutes.
const FAILING: SignedDuration = SignedDuration::from_mins(6);
/// Accounts that are asked for in one round.
const MOST_ACCOUNTS: usize = 8;

/// Whether a signal is of interest in here.
pub(crate) fn concerns(signal: &Signal) -> bool {
    match signal {
        Signal::Pod(pod) => pod.cloud.as_ref().is_some_and(|c| !c.role.is_empty()),
        Signal::Deleted(gone) => gone.object.kind == "Pod",
        _ => false,
    }
}

/// An account that takes a role on with a token for an audience.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Bearer {
    account: Subject,
    role: String,
    audience: String,
}

/// What the pods say.
#[derive(Debug, Default)]
struct Identities {
    pods: HashMap<String, Bearer>,
    failing: BTreeMap<Bearer, Timestamp>,
}

impl Identities {
    /// Says whether an account has failed anew.
    fn take(&mut self, signal: Signal) -> bool {
        let pod = match signal {
            Signal::Pod(pod) => pod,
            Signal::Deleted(gone) => {
                self.pods.remove(&gone.uid);
                return false;
            }
            _ => return false,
        };
        let Some(bearer) = bearer(&pod) else { return false };
        self.pods.insert(pod.uid.clone(), bearer.clone());
        let Some(last) = crash::failures(&pod).iter().map(|f| f.ended).max() else { return false };
        if self.failing.get(&bearer).is_some_and(|known| *known >= last) {
            return false;
        }
        self.failing.insert(bearer, last);
        true
    }

    fn roles(&self) -> BTreeSet<String> {
        self.pods.values().map(|b| b.role.clone()).collect()
    }

    /// Those whose containers failed lately and that still have a pod.
    fn questions(&mut self) -> Vec<Bearer> {
        let oldest = Timestamp::now() - FAILING;
        let alive: BTreeSet<_> = self.pods.values().collect();
        self.failing.retain(|bearer, last| *last > oldest && alive.contains(bearer));
        self.failing.keys().take(MOST_ACCOUNTS).cloned().collect()
    }
}

fn bearer(pod: &Pod) -> Option<Bearer> {
    let role = pod.cloud.as_ref().map(|c| c.role.clone()).filter(|r| !r.is_empty())?;
    let audience = pod.tokens.iter().find(|a| !a.is_empty()).cloned().unwrap_or_default();
    let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
    Some(Bearer { account, role, audience })
}

/// Follows roles and asks. The one does not wait for the other: where the cloud is silent, that has to be told, too.
pub(crate) async fn follow(
    client: Client,
    target: AwsTarget,
    news: mpsc::Receiver<Signal>,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let (tell, arns) = watch::channel(BTreeSet::new());
    tokio::select! {
        ended = follow_roles(&target, arns, &sink) => ended,
        ended = follow_bearers(&client, &target, news, &tell, &sink) => ended,
    }
}

/// Reads the roles that pods name.
async fn follow_roles(
    target: &AwsTarget,
    arns: watch::Receiver<BTreeSet<String>>,
    sink: &Sink,
) -> Result<(), NobodyListens> {
    let mut roles = Roles { told: HashMap::new(), iam: None };
    let mut clock = crate::backoff::every(PERIOD);
    loop {
        clock.tick().await;
        let named = arns.borrow().clone();
        roles.read(target, &named, sink).await?;
    }
}

/// Asks for accounts that fail, until there are no more news.
async fn follow_bearers(
    client: &Client,
    target: &AwsTarget,
    mut news: mpsc::Receiver<Signal>,
    tell: &watch::Sender<BTreeSet<String>>,
    sink: &Sink,
) -> Result<(), NobodyListens> {
    let mut identities = Identities::default();
    let cloud = WebIdentityClient::of(target).await;
    let (mut asked, mut due) = (Instant::now(), Instant::now());
    loop {
        tokio::select! {
            biased;
            signal = news.recv() => {
                let Some(signal) = signal else { return Ok(()) };
                if identities.take(signal) {
                    due = due.min(asked + SOON);
                }
                continue;
            }
            () = sleep_until(due) => {}
        }
        (asked, due) = (Instant::now(), Instant::now() + PERIOD);
        tell.send_replace(identities.roles());
        for bearer in identities.questions() {
            ask(client, &cloud, target, &bearer, sink).await?;
        }
    }
}

/// The roles as they were told last.
struct Roles {
    told: HashMap<String, CloudRole>,
    iam: Option<Iam>,
}

impl Roles {
    async fn read(
        &mut self,
        target: &AwsTarget,
        arns: &BTreeSet<String>,
        sink: &Sink,
    ) -> Result<(), NobodyListens> {
        let source = Source::cloud("iam");
        for name in target.roles.iter().filter(|name| arns.contains(&target.role_arn(name))) {
            match timeout(LIMIT, self.role(target, name)).await {
                Ok(Ok(state)) => {
                    sink.works(&source).await?;
                    let arn = target.role_arn(name);
                    let role = reduce(&arn, &state);
                    if self.told.get(&arn) != Some(&role) {
                        self.told.insert(arn, role.clone());
                        sink.send(&source, Signal::CloudRole(role)).await?;
                    }
                }
                Ok(Err(why)) => {
                    self.iam = None;
                    sink.lost(&source, why.to_string()).await?;
                }
                Err(_) => sink.lost(&source, format!("no answer within {} s", LIMIT.as_secs())).await?,
            }
        }
        Ok(())
    }

    async fn role(&mut self, target: &AwsTarget, name: &str) -> Result<RoleState, CloudError> {
        let iam = match &self.iam {
            Some(iam) => iam.clone(),
            None => self.iam.insert(Iam::connect(target).await?).clone(),
        };
        iam.role(name).await
    }
}

/// Does once what the account's container does when it starts.
async fn ask(
    client: &Client,
    cloud: &WebIdentityClient,
    target: &AwsTarget,
    bearer: &Bearer,
    sink: &Sink,
) -> Result<(), NobodyListens> {
    let source = Source::cloud("sts");
    let token = match timeout(LIMIT, token(client, bearer)).await {
        Ok(Ok(token)) => token,
        Ok(Err(e)) => return sink.lost(&source, reason(&e)).await,
        Err(_) => return sink.lost(&source, "the API server gave no token in time").await,
    };
    sink.works(&source).await?;
    let tell = |api: &str, said: &Result<(), CloudError>| {
        Signal::CloudAnswer(CloudAnswer {
            account: bearer.account.clone(),
            role: bearer.role.clone(),
            api: api.into(),
            endpoint: target.endpoint_url.clone().unwrap_or_default(),
            word: said.as_ref().map_or_else(CloudWord::from, |()| CloudWord::Accepted),
        })
    };
    let late = || CloudError::Unreachable {
        action: loopdrill_aws::Action::AssumeRoleWithWebIdentity,
        place: target.place(),
        why: format!("no answer within {} s", LIMIT.as_secs()),
    };
    let begun = timeout(LIMIT, cloud.begin(&bearer.role, &token)).await.unwrap_or_else(|_| Err(late()));
    drop(token);
    match begun {
        Ok(session) => {
            sink.send(&source, tell("sts", &Ok(()))).await?;
            let read = timeout(LIMIT, cloud.read(&session, &target.bucket, PROBE)).await;
            sink.send(&Source::cloud("s3"), tell("s3", &read.unwrap_or_else(|_| Err(late())))).await
        }
        Err(e) => sink.send(&source, tell("sts", &Err(e))).await,
    }
}

async fn token(client: &Client, bearer: &Bearer) -> Result<String, kube::Error> {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &bearer.account.namespace);
    let spec = TokenRequestSpec {
        audiences: Some(vec![bearer.audience.clone()]),
        expiration_seconds: Some(600),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let given = accounts.create_token_request(&bearer.account.name, &PostParams::default(), &request).await?;
    Ok(given.status.and_then(|s| s.token).unwrap_or_default())
}

/// What a role's policies amount to.
fn reduce(arn: &str, state: &RoleState) -> CloudRole {
    let mut role = CloudRole {
        role: arn.into(),
        trust: fingerprint(&state.trust),
        trusts_web_identity: statements(&state.trust).iter().any(lets_web_identity_in),
        grants: state.attached.iter().cloned().collect(),
        sessions_revoked_before: None,
        denials: Vec::new(),
    };
    for (name, text) in &state.inline {
        let all = statements(text);
        let (denies, allows): (Vec<_>, Vec<_>) = all.iter().partition(|s| s["Effect"] == "Deny");
        for deny in denies {
            match revoked_before(deny) {
                Some(before) => {
                    role.sessions_revoked_before = role.sessions_revoked_before.max(Some(before));
                }
                None if deny["Condition"].is_null() => role.denials.push(name.clone()),
                None => {}
            }
        }
        if !allows.is_empty() {
            role.grants.push(format!("{name}#{}", fingerprint(text)));
        }
    }
    role
}

fn statements(policy: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    match &policy["Statement"] {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn lets_web_identity_in(statement: &Value) -> bool {
    statement["Effect"] == "Allow" && !statement["Principal"]["Federated"].is_null()
}

/// The time in the condition by which AWS revokes sessions.
fn revoked_before(deny: &Value) -> Option<Timestamp> {
    let condition = deny["Condition"]["DateLessThan"].as_object()?;
    let (_, time) = condition.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:TokenIssueTime"))?;
    time.as_str()?.parse().ok()
}

fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::signal::Deleted;

    fn role(trust: &str, inline: &[(&str, &str)]) -> CloudRole {
        let inline = inline.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        reduce("arn:r", &RoleState { trust: trust.into(), inline, ..RoleState::default() })
    }

    #[test]
    fn policies_are_told_by_what_they_amount_to() {
        let trust = r#"{"Statement": [{"Effect": "Allow", "Principal": {"Federated": "x"}, "Action": "y"}]}"#;
        let revoke = r#"{"Statement": [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"],
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2027-01-15T08:00:00.250Z"}}}]}"#;
        let found = role(trust, &[("reads", r#"{"Statement": {"Effect": "Allow"}}"#), ("revoke", revoke)]);
        assert!(found.trusts_web_identity);
        assert_eq!(found.grants.len(), 1);
        assert!(found.grants[0].starts_with("reads#"), "{found:?}");
        assert_eq!(found.sessions_revoked_before.map(|t| t.as_millisecond()), Some(1_800_000_000_250));
        assert_eq!(found.denials, Vec::<String>::new());
        let cut = role(r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "root"}}}"#, &[]);
        assert!(!cut.trusts_web_identity && cut.trust != found.trust);
        let denied = role(trust, &[("no", r#"{"Statement": [{"Effect": "Deny", "Action": "s3:*"}]}"#)]);
        assert_eq!(denied.denials, ["no"]);
        let nonsense = role("nonsense", &[("odd", "{")]);
        assert!(!nonsense.trusts_web_identity && nonsense.grants.is_empty());
    }

    #[test]
    fn a_pod_that_is_gone_asks_nothing_any_more() {
        let mut identities = Identities::default();
        let bearer = Bearer {
            account: Subject::new("ServiceAccount", "n", "a"),
            role: "arn:r".into(),
            audience: "sts.amazonaws.com".into(),
        };
        identities.pods.insert("uid".into(), bearer.clone());
        identities.failing.insert(bearer.clone(), Timestamp::now());
        assert_eq!(identities.roles().len(), 1);
        assert_eq!(identities.questions(), [bearer]);
        let object = Subject::new("Pod", "n", "p");
        identities.take(Signal::Deleted(Deleted { object, uid: "uid".into() }));
        assert!(identities.questions().is_empty() && identities.roles().is_empty());
    }
}
