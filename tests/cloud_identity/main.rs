//! The cloud of a lab, over the wire: who may take on the role, what a session may do and when it ends, each with AWS'
//! own errors; and [`drills`], which revoke it. curl on the control-plane node signs and sends, so nothing of ours is on
//! both sides.
//!
//! Needs a container engine and what the cloud bundle is built with (mmdebstrap, pip); without the latter the test is
//! skipped and says so, or fails where `LOOPDRILL_REQUIRE` is set.

mod drills;
#[path = "../support/mod.rs"]
mod support;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use k8s_openapi::api::{
    apps::v1::Deployment,
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{ConfigMap, Namespace, Pod, ServiceAccount},
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use loopdrill_cluster::NodeAccess;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use support::{alone, lab::TestLab, text};

const ROLE: &str = "arn:aws:iam::123456789012:role/loopdrill-victim";
const HOST: &str = "kubernetes.default.svc.cluster.local";
const STS: &str = "sts.amazonaws.com";
const DRILL: &str = "drill-cloud-test";
/// The digest of an empty body.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// How long anything may take: it ends what hangs.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn the_cloud_s_identity_is_as_on_aws() {
    let _alone = alone();
    let Some(()) = bundle() else { return };
    let lab = TestLab::with("cloud", &["cloud-identity"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let cloud = Cloud::of(&lab).await;
        tokens_decide_who_comes_in(&cloud).await;
        the_trust_policy_decides_too(&cloud).await;
        a_detached_policy_takes_the_permission_away(&cloud).await;
        only_older_sessions_are_revoked(&cloud).await;
        what_is_signed_wrongly_is_refused(&cloud).await;
        throttling_is_a_setting(&cloud).await;
        pulls_follow_the_identity(&cloud).await;
        drills::every_drill_of_the_cloud_passes_and_tells_no_secret(&lab, &cloud).await;
        drills::a_killed_run_leaves_a_role_that_can_be_put_back(&lab, &cloud).await;
        moto_comes_back_with_the_same_keys(&cloud).await;
    });
}

/// Builds the bundle, or says why this machine cannot.
fn bundle() -> Option<()> {
    let builder = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/node-image/build");
    let output = Command::new("bash").arg(builder).arg("--cloud").output().expect("bash is there");
    if output.status.success() {
        return Some(());
    }
    let required = std::env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
    let why = text(&output.stderr);
    assert!(!required, "the cloud bundle cannot be built, and LOOPDRILL_REQUIRE is set: {why}");
    eprintln!("skipped: the cloud bundle cannot be built here: {why}");
    None
}

/// An access key, with the token of its session.
#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

/// Status and body of an answer.
#[derive(Debug)]
struct Answer(u16, String);

impl Answer {
    fn code(&self) -> &str {
        element(&self.1, "Code").unwrap_or("no code")
    }

    #[track_caller]
    fn is(&self, status: u16, code: &str, words: &str) {
        assert_eq!((self.0, self.code()), (status, code), "{}", self.1);
        assert!(self.1.contains(words), "{words:?} is not in {}", self.1);
    }

    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.0, 200, "{}", self.1);
        self.1
    }
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

struct Cloud {
    client: Client,
    nodes: Arc<dyn NodeAccess>,
    node: String,
    url: String,
    operator: Key,
}

impl Cloud {
    async fn of(lab: &TestLab) -> Self {
        let access = lab.access().await;
        let client = access.client.clone().expect("the API answers");
        let folder = loopdrill_lab::state::dir().join("labs").join(&lab.name);
        let description = std::fs::read_to_string(folder.join("aws.yaml")).expect("the description");
        let description: Value = serde_yaml::from_str(&description).expect("YAML");
        assert_eq!(description["account_id"], "123456789012");
        assert_eq!(description["roles"], json!(["loopdrill-victim"]));
        let file = description["credentials_file"].as_str().expect("a path");
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600, "only this user may read the operator's key");
        let credentials = std::fs::read_to_string(file).expect("the operator's key");
        let line = |name: &str| {
            let value = credentials.lines().find_map(|l| l.strip_prefix(name)?.trim().strip_prefix('='));
            value.expect("a line").trim().to_string()
        };
        let operator =
            Key { id: line("aws_access_key_id"), secret: line("aws_secret_access_key"), token: None };
        for namespace in [DRILL, "elsewhere"] {
            let object: Namespace =
                serde_json::from_value(json!({"metadata": {"name": namespace}})).expect("valid");
            Api::all(client.clone()).create(&PostParams::default(), &object).await.expect("a namespace");
            let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
            let role = json!({"eks.amazonaws.com/role-arn": ROLE});
            let account = json!({"metadata": {"name": "app", "annotations": role}});
            let account = serde_json::from_value(account).expect("valid");
            accounts.create(&PostParams::default(), &account).await.expect("an account");
        }
        Cloud {
            client,
            nodes: access.nodes.expect("a lab's nodes can be reached"),
            node: format!("{}-control-plane", lab.name),
            url: description["endpoint_url"].as_str().expect("a URL").into(),
            operator,
        }
    }

    async fn curl(&self, path: &str, more: &[String]) -> Answer {
        let url = format!("{}{path}", self.url);
        let mut argv = vec!["curl", "-s", "--max-time", "20", "-w", "\n%{http_code}"];
        argv.extend(more.iter().map(String::as_str));
        argv.push(&url);
        let output = self.nodes.exec(&self.node, &argv, None).await.expect("the node answers");
        let text = text(&output.stdout);
        let (body, status) = text.rsplit_once('\n').unwrap_or_default();
        Answer(status.parse().unwrap_or(0), body.into())
    }

    async fn signed(&self, key: &Key, service: &str, path: &str, more: &[String]) -> Answer {
        let mut all = vec![
            "--aws-sigv4".to_string(),
            format!("aws:amz:us-east-1:{service}"),
            "--user".into(),
            format!("{}:{}", key.id, key.secret),
        ];
        if let Some(token) = &key.token {
            all.extend(["-H".into(), format!("x-amz-security-token: {token}")]);
        }
        all.extend_from_slice(more);
        self.curl(path, &all).await
    }

    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.signed(&self.operator, "iam", "/", &form(action, parameters)).await
    }

    /// A token of an account, as a pod would get it.
    async fn token(&self, namespace: &str, audience: &str) -> String {
        let spec = TokenRequestSpec { audiences: Some(vec![audience.into()]), ..Default::default() };
        let request = TokenRequest { spec: Some(spec), ..Default::default() };
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let made = accounts.create_token_request("app", &PostParams::default(), &request).await;
        made.expect("a token").status.and_then(|status| status.token).expect("filled in")
    }

    async fn assume(&self, token: &str) -> Answer {
        let parameters = [("RoleArn", ROLE), ("RoleSessionName", "app"), ("WebIdentityToken", token)];
        self.curl("/", &form("AssumeRoleWithWebIdentity", &parameters)).await
    }

    /// The role's trust policy, and a new one.
    async fn trust(&self) -> String {
        let role = self.iam("GetRole", &[("RoleName", "loopdrill-victim")]).await.good();
        decoded(element(&role, "AssumeRolePolicyDocument").expect("a document"))
    }

    async fn set_trust(&self, document: &str) {
        let parameters = [("RoleName", "loopdrill-victim"), ("PolicyDocument", document)];
        self.iam("UpdateAssumeRolePolicy", &parameters).await.good();
    }

    async fn session(&self) -> Key {
        let answer = self.assume(&self.token(DRILL, STS).await).await.good();
        let part = |name: &str| element(&answer, name).expect("in the answer").to_string();
        Key { id: part("AccessKeyId"), secret: part("SecretAccessKey"), token: Some(part("SessionToken")) }
    }

    async fn read(&self, key: &Key) -> Answer {
        // S3 wants it, and it has to be among what is signed.
        let digest = format!("x-amz-content-sha256: {NOTHING}");
        self.signed(key, "s3", "/loopdrill-victim/probe", &["-H".into(), digest]).await
    }

    async fn pull(&self, key: &Key) -> Answer {
        let header = |text: &str| ["-H".to_string(), text.to_string()];
        let target = "x-amz-target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
        let data = ["--data".to_string(), "{}".to_string()];
        let all = [header(target), header("content-type: application/x-amz-json-1.1"), data].concat();
        self.signed(key, "ecr", "/", &all).await
    }
}

/// What AWS encodes: all but its unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn form(action: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let version = if action.starts_with("Assume") { "2011-06-15" } else { "2010-05-08" };
    let all = [("Action", action), ("Version", version)].into_iter().chain(parameters.iter().copied());
    // Encoded here, as AWS signs it: curl would sign the text before it encodes it.
    let encode = |value| utf8_percent_encode(value, ENCODED);
    let text: Vec<_> = all.map(|(key, value)| format!("{key}={}", encode(value))).collect();
    vec!["--data".into(), text.join("&")]
}

async fn tokens_decide_who_comes_in(cloud: &Cloud) {
    let session = cloud.session().await;
    assert_eq!(cloud.read(&session).await.good(), "well\n");
    assert!(cloud.pull(&session).await.good().contains("authorizationToken"));
    let who = cloud.signed(&session, "sts", "/", &form("GetCallerIdentity", &[])).await.good();
    assert!(who.contains("assumed-role/loopdrill-victim/app"), "{who}");

    let wrong = cloud.assume(&cloud.token(DRILL, "vault").await).await;
    wrong.is(400, "InvalidIdentityToken", "Incorrect token audience");
    let forbidden = cloud.assume(&cloud.token("elsewhere", STS).await).await;
    forbidden.is(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    cloud.assume("a.b.c").await.is(400, "InvalidIdentityToken", "not a valid JWT");
    let token = cloud.token(DRILL, STS).await;
    let tampered = format!("{}AAAA", &token[..token.len() - 4]);
    cloud.assume(&tampered).await.is(400, "InvalidIdentityToken", "not signed by its issuer");

    // The API server makes none that is as short-lived, so this one is signed with its key.
    let now = Timestamp::now().as_second();
    let expired = issue(
        cloud,
        json!({"iss": format!("https://{HOST}"), "aud": [STS], "iat": now - 7200,
        "nbf": now - 7200, "exp": now - 3600, "sub": format!("system:serviceaccount:{DRILL}:app")}),
    );
    cloud.assume(&expired.await).await.is(400, "ExpiredTokenException", "Token expired");
    let other = issue(
        cloud,
        json!({"iss": "https://elsewhere.example", "aud": [STS], "exp": now + 600,
        "sub": format!("system:serviceaccount:{DRILL}:app")}),
    );
    cloud.assume(&other.await).await.is(400, "InvalidIdentityToken", "No OpenIDConnect provider found");
}

/// A token that the cluster's own key signs.
async fn issue(cloud: &Cloud, claims: Value) -> String {
    let script = "openssl pkcs8 -topk8 -nocrypt -outform DER -in /etc/kubernetes/pki/sa.key | base64 -w0";
    let argv = ["bash", "-euo", "pipefail", "-c", script];
    let key = cloud.nodes.exec(&cloud.node, &argv, None).await.expect("the node answers");
    let key = STANDARD.decode(key.success(&cloud.node, &argv).expect("the key").trim()).expect("base64");
    let request = http::Request::get("/openid/v1/jwks").body(Vec::new()).expect("valid");
    let keys: Value = cloud.client.request(request).await.expect("the issuer's keys");
    let kid = keys["keys"][0]["kid"].as_str().expect("an id").to_string();
    let header = Header { kid: Some(kid), ..Header::new(Algorithm::ES256) };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&key)).expect("signed")
}

async fn the_trust_policy_decides_too(cloud: &Cloud) {
    let before = cloud.trust().await;
    let token = cloud.token(DRILL, STS).await;
    let session = cloud.session().await;
    for (from, to) in [
        (format!("oidc-provider/{HOST}"), "oidc-provider/elsewhere.example".to_string()),
        ("serviceaccount:drill-".into(), "serviceaccount:prod-".into()),
        ("\"Allow\"".into(), "\"Deny\"".into()),
    ] {
        cloud.set_trust(&before.replace(&from, &to)).await;
        let refused = cloud.assume(&token).await;
        refused.is(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        // A cut trust ends no session.
        cloud.read(&session).await.good();
    }
    cloud.set_trust(&before).await;
    cloud.assume(&token).await.good();
}

async fn a_detached_policy_takes_the_permission_away(cloud: &Cloud) {
    let session = cloud.session().await;
    let policy = "arn:aws:iam::123456789012:policy/loopdrill-victim-read";
    let both = [("RoleName", "loopdrill-victim"), ("PolicyArn", policy)];
    cloud.iam("DetachRolePolicy", &both).await.good();
    let denied = cloud.read(&session).await;
    denied.is(403, "AccessDenied", "because no identity-based policy allows the s3:GetObject action");
    cloud.pull(&session).await.good();
    cloud.iam("AttachRolePolicy", &both).await.good();
    cloud.read(&session).await.good();

    let inline = [("RoleName", "loopdrill-victim"), ("PolicyName", "registry")];
    let kept = cloud.iam("GetRolePolicy", &inline).await.good();
    let kept = decoded(element(&kept, "PolicyDocument").expect("a document"));
    cloud.iam("DeleteRolePolicy", &inline).await.good();
    let denied = cloud.pull(&session).await;
    assert_eq!(denied.0, 400, "{}", denied.1);
    assert!(denied.1.contains("AccessDeniedException"), "{}", denied.1);
    cloud.iam("PutRolePolicy", &[inline[0], inline[1], ("PolicyDocument", &kept)]).await.good();
    cloud.pull(&session).await.good();
}

async fn only_older_sessions_are_revoked(cloud: &Cloud) {
    let old = cloud.session().await;
    let second = Timestamp::from_second(Timestamp::now().as_second() + 1).expect("soon");
    let revoke = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": ["*"],
        "Resource": ["*"], "Condition": {"DateLessThan": {"aws:TokenIssueTime": second.to_string()}}}]});
    let name = [("RoleName", "loopdrill-victim"), ("PolicyName", "AWSRevokeOlderSessions")];
    let document = revoke.to_string();
    cloud.iam("PutRolePolicy", &[name[0], name[1], ("PolicyDocument", &document)]).await.good();
    let denied = cloud.read(&old).await;
    denied.is(403, "AccessDenied", "with an explicit deny in an identity-based policy");
    while Timestamp::now() < second {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // moto alone would deny this one, too.
    let new = cloud.session().await;
    assert_eq!(cloud.read(&new).await.good(), "well\n");
    cloud.read(&old).await.is(403, "AccessDenied", "explicit deny");
    let who = cloud.signed(&old, "sts", "/", &form("GetCallerIdentity", &[])).await;
    assert_eq!(who.0, 200, "who one is may always be asked: {}", who.1);
    cloud.iam("DeleteRolePolicy", &name).await.good();
    cloud.read(&old).await.good();
}

async fn what_is_signed_wrongly_is_refused(cloud: &Cloud) {
    let session = cloud.session().await;
    let with = |change: fn(&mut Key)| {
        let mut key = session.clone();
        change(&mut key);
        key
    };
    cloud.read(&with(|k| k.secret.push('x'))).await.is(403, "SignatureDoesNotMatch", "");
    cloud.read(&with(|k| k.token = Some("other".into()))).await.is(403, "InvalidAccessKeyId", "");
    cloud.read(&with(|k| k.id = "ASIAQAAAAAAAAAAAAAAA".into())).await.is(403, "InvalidAccessKeyId", "");
    let mut operator = cloud.operator.clone();
    operator.secret.push('x');
    cloud.read(&operator).await.is(403, "SignatureDoesNotMatch", "");
    cloud.curl("/loopdrill-victim/probe", &[]).await.is(403, "AccessDenied", "Access Denied");
    cloud.curl("/moto-api/reset-auth", &["--data".into(), "inf".into()]).await.is(403, "AccessDenied", "");
}

async fn throttling_is_a_setting(cloud: &Cloud) {
    let settings = Api::<ConfigMap>::namespaced(cloud.client.clone(), loopdrill_cloud::NAMESPACE);
    let set = async |actions: &str| {
        let patch = Patch::Merge(json!({"data": {"throttle": actions}}));
        settings.patch(loopdrill_cloud::SETTINGS, &PatchParams::default(), &patch).await.expect("set");
    };
    let token = cloud.token(DRILL, STS).await;
    let becomes = async |status: u16| {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = cloud.assume(&token).await;
            if answer.0 == status {
                return answer;
            }
            assert!(Instant::now() < deadline, "not within {LIMIT:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    set("sts:AssumeRoleWithWebIdentity").await;
    becomes(400).await.is(400, "Throttling", "Rate exceeded");
    set("").await;
    becomes(200).await.good();
}

/// The kubelet's credential provider takes on the role with the pod's token; the registry asks the role's policies.
async fn pulls_follow_the_identity(cloud: &Cloud) {
    assert_eq!(pull(cloud, "good").await, "pulled");
    let trust = cloud.trust().await;
    cloud.set_trust(&trust.replace("serviceaccount:drill-", "serviceaccount:prod-")).await;
    let cut = pull(cloud, "cut").await;
    assert!(cut.contains("authorization failed"), "{cut}");
    cloud.set_trust(&trust).await;
    gone(cloud, "cut").await;

    let inline = [("RoleName", "loopdrill-victim"), ("PolicyName", "registry")];
    let kept = cloud.iam("GetRolePolicy", &inline).await.good();
    let kept = decoded(element(&kept, "PolicyDocument").expect("a document"));
    let narrow = kept.replace("ecr:BatchGetImage", "ecr:DescribeImages");
    cloud.iam("PutRolePolicy", &[inline[0], inline[1], ("PolicyDocument", &narrow)]).await.good();
    let denied = pull(cloud, "denied").await;
    assert!(denied.contains("403 Forbidden") && denied.contains("ecr:BatchGetImage"), "{denied}");
    cloud.iam("PutRolePolicy", &[inline[0], inline[1], ("PolicyDocument", &kept)]).await.good();
    gone(cloud, "denied").await;
    assert_eq!(pull(cloud, "again").await, "pulled");
    cloud.curl("/v2/loopdrill/manifests/x", &[]).await.is(401, "no code", "UNAUTHORIZED");
    let stale = ["--user".to_string(), "AWS:stale".to_string()];
    cloud.curl("/v2/loopdrill/manifests/x", &stale).await.is(
        403,
        "no code",
        "authorization token has expired",
    );
}

/// Has a pod pull the lab's own image from the account's registry; gives what came of it.
async fn pull(cloud: &Cloud, name: &str) -> String {
    let deployments = Api::<Deployment>::namespaced(cloud.client.clone(), loopdrill_cloud::NAMESPACE);
    let front = deployments.get(loopdrill_cloud::DEPLOYMENT).await.expect("the cloud");
    let image = front.spec.template.spec.expect("a pod").containers[0].image.clone().expect("an image");
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"serviceAccountName": "app", "restartPolicy": "Never", "containers": [{"name": "app",
            "image": loopdrill_lab::cloud::served(&image), "imagePullPolicy": "Always", "args": ["--version"]}]},
    }))
    .expect("a pod");
    let pods = Api::<Pod>::namespaced(cloud.client.clone(), DRILL);
    pods.create(&PostParams::default(), &pod).await.expect("created");
    let deadline = Instant::now() + LIMIT;
    loop {
        let pod = serde_json::to_value(pods.get(name).await.expect("there")).expect("JSON");
        let state = &pod["status"]["containerStatuses"][0]["state"];
        let waiting = state["waiting"]["message"].as_str();
        if let Some(why) = waiting.filter(|why| why.contains("failed to")) {
            return why.into();
        }
        if state["terminated"]["exitCode"] == 0 {
            return "pulled".into();
        }
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {state}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Takes a pod away that cannot pull: it would be a true finding of whatever runs next.
async fn gone(cloud: &Cloud, name: &str) {
    let pods = Api::<Pod>::namespaced(cloud.client.clone(), DRILL);
    pods.delete(name, &DeleteParams::default().grace_period(0)).await.expect("deleted");
    let deadline = Instant::now() + LIMIT;
    while pods.get_opt(name).await.expect("an answer").is_some() {
        assert!(Instant::now() < deadline, "{name} is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn moto_comes_back_with_the_same_keys(cloud: &Cloud) {
    let session = cloud.session().await;
    let gone = [("RoleName", "loopdrill-victim"), ("PolicyName", "registry")];
    cloud.iam("DeleteRolePolicy", &gone).await.good();
    let argv = ["pkill", "-f", "moto.server"];
    cloud
        .nodes
        .exec(&cloud.node, &argv, None)
        .await
        .expect("the node answers")
        .success(&cloud.node, &argv)
        .expect("killed");
    let deadline = Instant::now() + LIMIT;
    loop {
        let answer = cloud.iam("GetRolePolicy", &gone).await;
        if answer.0 == 200 {
            break;
        }
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {answer:?}");
        // Never an answer that looks like a revoked key.
        assert!(answer.0 == 503 || answer.code() == "NoSuchEntity", "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    cloud.read(&session).await.is(403, "InvalidAccessKeyId", "");
    let again = cloud.session().await;
    cloud.read(&again).await.good();
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().expect("text").into_owned()
}
