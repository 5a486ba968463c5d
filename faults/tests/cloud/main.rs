//! Changes of a cloud's roles against a real moto: in force, undone to the byte, refused where they must be, and
//! undone after SIGKILL in the middle.
//!
//! Needs `python3` and, once, a package index; without them these tests say so and are skipped, unless
//! `LOOPDRILL_REQUIRE` is set.

mod moto;

use loopdrill_aws::{Action, RoleState};
use loopdrill_cluster::{CloudFacts, ClusterHandle, aws::AwsTarget};
use loopdrill_faults::{
    Change, ChangeError, UndoAccess,
    cloud::CloudChange,
    journal::{self, Journal},
    lifecycle,
};
use loopdrill_model::FaultId;
use moto::{Gate, Moto, Verdict};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// It must show nowhere.
const SECRET: &str = "canary/secret/key/canary/secret/key/cana";

fn cloud(folder: &Path, at: SocketAddr, roles: &str) -> CloudFacts {
    fs::write(
        folder.join("keys"),
        format!("[default]\naws_access_key_id = AKIACANARYCANARYCANA\naws_secret_access_key = {SECRET}\n"),
    )
    .expect("written");
    let text = format!(
        "account_id: \"123456789012\"\nregion: us-east-1\nendpoint_url: http://{at}\nroles: [{roles}]\n\
         bucket: loopdrill-victim\ncredentials_file: keys\n"
    );
    let file = folder.join("aws.yaml");
    fs::write(&file, text).expect("written");
    CloudFacts { aws: AwsTarget::read(&file).expect("a good file"), of_lab: false }
}

/// Everything that can change at once: trust replaced, policies gone, one added.
fn all_at_once(role: &RoleState) -> Result<RoleState, String> {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}"#;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let inline = [("added".to_owned(), deny.to_owned())].into();
    Ok(RoleState { trust: trust.into(), attached: [].into(), inline, tags: role.tags.clone() })
}

fn access() -> UndoAccess {
    UndoAccess { client: Err("there is no cluster in this test".into()), nodes: None }
}

fn handle() -> ClusterHandle {
    ClusterHandle::Lab { name: "none".into() }
}

fn drill() -> FaultId {
    FaultId::new("revoked-iam", "aws-policy")
}

fn changed(change: CloudChange) -> Change {
    Change::Cloud(Box::new(change))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_is_put_back_to_the_byte() {
    let Some(moto) = Moto::start() else { return };
    // Ten managed policies are the most that a role has by default, and more than one page of any list.
    moto.iam(&["make", "full", "10"]);
    let folder = tempfile::tempdir().expect("a folder");
    let before = moto.dump("full");
    assert!(before.contains("team") && before.contains("lists"), "{before}");
    let cloud = cloud(folder.path(), moto.address, "full");
    let change = changed(CloudChange::plan(&cloud, "full", all_at_once).await.expect("a plan"));
    assert_eq!(moto.dump("full"), before, "a plan touches nothing");
    assert!(change.read_back(&access(), "x").await.expect("read").is_none(), "not yet in force");
    for _ in 0..2 {
        change.apply(&access(), "x").await.expect("applied, and again");
        assert!(change.read_back(&access(), "x").await.expect("read").is_some());
    }
    let during = moto.dump("full");
    assert!(during != before && during.contains("root") && !during.contains("full-3"), "{during}");
    let text = serde_json::to_string(&change).expect("plain data");
    let change: Change = serde_json::from_str(&text).expect("the same");
    for _ in 0..2 {
        change.undo(&access(), "x").await.expect("undone, and again");
        assert_eq!(change.differences(&access()).await.expect("read"), Vec::<String>::new());
    }
    assert_eq!(moto.dump("full"), before);
    assert!(!text.contains("canary") && !format!("{change:?} {change}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_changed_meanwhile_is_shown_and_not_overwritten() {
    let Some(moto) = Moto::start() else { return };
    moto.iam(&["make", "shared", "1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let before = moto.dump("shared");
    let cloud = cloud(folder.path(), moto.address, "shared");
    let change = changed(CloudChange::plan(&cloud, "shared", all_at_once).await.expect("a plan"));
    change.apply(&access(), "x").await.expect("applied");
    let theirs = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;
    moto.iam(&["put", "shared", "reads", theirs]);
    let present = moto.dump("shared");
    let refused = change.undo(&access(), "x").await.expect_err("somebody else's");
    assert!(matches!(refused, ChangeError::Foreign { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains(theirs) && said.contains("s3:GetObject"), "both are shown: {said}");
    assert_eq!(moto.dump("shared"), present, "nothing is half undone");
    assert!(change.read_back(&access(), "x").await.expect("read").is_none());
    // What they add beside is theirs to keep.
    moto.iam(&["delete", "shared", "reads"]);
    moto.iam(&["put", "shared", "beside", theirs]);
    change.undo(&access(), "x").await.expect("put right by hand");
    assert!(moto.dump("shared").contains("beside"));
    moto.iam(&["delete", "shared", "beside"]);
    assert_eq!(moto.dump("shared"), before);
    // The same before the change: what the snapshot does not know is not touched.
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    moto.iam(&["trust", "shared", trust]);
    assert!(matches!(change.apply(&access(), "x").await, Err(ChangeError::Foreign { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_policy_is_enough_and_no_action_of_it_too_many() {
    let Some(moto) = Moto::start() else { return };
    moto.iam(&["make", "least", "2"]);
    let folder = tempfile::tempdir().expect("a folder");
    let cloud = cloud(folder.path(), moto.address, "least");
    let before = moto.dump("least");
    let policy = loopdrill_aws::policy(&cloud.aws).to_string();
    let listed: Vec<_> = Action::ALL.iter().filter(|a| policy.contains(&format!("\"{a}\""))).collect();
    assert!(listed.len() > 8, "{policy}");
    // The gate allows what the policy lists, but for one; the last time it allows all of it.
    for missing in listed.iter().map(Some).chain([None]) {
        let name = |a: &Action| a.name().split_once(':').map(|(_, name)| name);
        let allowed: Vec<_> = listed.iter().filter(|a| Some(*a) != missing).filter_map(|a| name(a)).collect();
        let gate = Gate::open(&moto, move |action| match allowed.contains(&action) {
            true => Verdict::Pass,
            false => Verdict::Deny,
        });
        let gate = gate.await;
        let mut guarded = cloud.clone();
        guarded.aws.endpoint_url = Some(format!("http://{}", gate.address));
        let (change, done) = life(&guarded, "least").await;
        match missing {
            None => done.expect("all that is needed is listed"),
            Some(action) => {
                let refused = done.expect_err("one action is missing").to_string();
                assert!(refused.contains(&format!("{action} is not allowed")), "{action}: {refused}");
            }
        }
        if let Some(Change::Cloud(mut change)) = change {
            change.cloud = cloud.clone();
            changed(*change).undo(&access(), "x").await.expect("undone with all rights");
        }
        assert_eq!(moto.dump("least"), before);
    }
}

/// Planned, applied, read back, undone, compared.
async fn life(cloud: &CloudFacts, role: &str) -> (Option<Change>, Result<(), ChangeError>) {
    let change = match CloudChange::plan(cloud, role, all_at_once).await {
        Ok(change) => changed(change),
        Err(e) => return (None, Err(e)),
    };
    let done = async {
        change.apply(&access(), "x").await?;
        assert!(change.read_back(&access(), "x").await?.is_some());
        change.undo(&access(), "x").await?;
        assert_eq!(change.differences(&access()).await?, Vec::<String>::new());
        Ok(())
    };
    let done = done.await;
    (Some(change), done)
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out_and_told_when_it_does_not_end() {
    let Some(moto) = Moto::start() else { return };
    moto.iam(&["make", "busy", "1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let before = moto.dump("busy");
    let mut left = 3;
    let some = Gate::open(&moto, move |action| {
        let refuse = action.ends_with("RolePolicy") && left > 0;
        left -= i32::from(refuse);
        if refuse { Verdict::Throttle } else { Verdict::Pass }
    });
    let some = some.await;
    let (_, done) = life(&cloud(folder.path(), some.address, "busy"), "busy").await;
    done.expect("three refusals are waited out");
    assert_eq!(moto.dump("busy"), before);

    let always = Gate::open(&moto, |action| match action {
        "GetRole" => Verdict::Throttle,
        _ => Verdict::Pass,
    });
    let always = always.await;
    let (_, done) = life(&cloud(folder.path(), always.address, "busy"), "busy").await;
    let said = done.expect_err("it never ends").to_string();
    assert!(said.contains("iam:GetRole is throttled"), "{said}");
    assert!(always.heard.lock().expect("not poisoned").iter().filter(|a| *a == "GetRole").count() > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_day_has_its_words_and_touches_nothing() {
    let Some(moto) = Moto::start() else { return };
    moto.iam(&["make", "mine", "1"]);
    moto.iam(&["make", "other", "1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let before = moto.dump("mine");
    let cloud = cloud(folder.path(), moto.address, "mine, missing");
    let said = async |cloud: &CloudFacts, role: &str| {
        let refused = CloudChange::plan(cloud, role, all_at_once).await.expect_err("a bad day").to_string();
        assert!(!refused.contains("canary"), "{refused}");
        refused
    };
    let with = |change: &dyn Fn(&mut AwsTarget)| {
        let mut other = cloud.clone();
        change(&mut other.aws);
        other
    };
    let wrong = said(&with(&|aws| aws.account_id = "999999999999".into()), "mine").await;
    assert!(wrong.contains("account 123456789012") && wrong.contains("pins 999999999999"), "{wrong}");
    let unnamed = said(&cloud, "other").await;
    assert!(unnamed.contains("role other is not among"), "{unnamed}");
    let missing = said(&cloud, "missing").await;
    assert!(missing.contains("iam:GetRole") && missing.contains("missing"), "{missing}");
    let none = said(&with(&|aws| aws.credentials_file = Some("/no/such/file".into())), "mine").await;
    assert!(none.contains("no credentials for http://127.0.0.1"), "{none}");
    // A port that nobody listens on, and that no other test gets: it is held.
    let held = tokio::net::TcpSocket::new_v4().expect("a socket");
    held.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let closed = held.local_addr().expect("an address");
    let down = said(&with(&|aws| aws.endpoint_url = Some(format!("http://{closed}"))), "mine").await;
    assert!(down.contains(&closed.to_string()) && down.contains("does not answer"), "{down}");
    let same = CloudChange::plan(&cloud, "mine", |role| Ok(role.clone())).await;
    assert!(same.is_err());
    assert_eq!(moto.dump("mine"), before);
}

/// A machine that trusts nobody is made of a folder that holds this test alone, as a pod holds our program alone.
#[test]
fn tls_trusts_what_the_machine_trusts_and_mozilla_s_list_where_there_is_nothing() {
    let machine = tempfile::tempdir().expect("a folder");
    let machine = machine.path();
    // Long before it is started: a file that a child of another test still has open for writing cannot be.
    fs::copy(std::env::current_exe().expect("this test"), machine.join("test")).expect("copied");
    let Some(moto) = Moto::start_with_tls(machine) else { return };
    if !nix::unistd::geteuid().is_root() {
        assert!(std::env::var_os("LOOPDRILL_REQUIRE").is_none(), "a machine without roots needs root");
        eprintln!("skipped: needs root to make a machine without certificates");
        return;
    }
    fs::create_dir(machine.join("tmp")).expect("a folder");
    fs::write(machine.join("nobody.pem"), "").expect("written");
    // What it trusts by the environment, and what it says of a cloud that its own certificate vouches for. It tries again
    // for some seconds whatever the reason, so all are asked side by side.
    let cases = [
        (Some("/tls.pem"), "Role missing not found"),
        (Some("/nobody.pem"), "UnknownIssuer"),
        (Some("/missing.pem"), "UnknownIssuer"),
        (None, "UnknownIssuer"),
    ];
    let asked = cases.map(|(trusted, said)| {
        let mut child = Command::new("chroot");
        child.arg(machine).args([
            "/test",
            "--exact",
            "a_process_that_speaks_tls",
            "--ignored",
            "--nocapture",
        ]);
        child.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        child
            .env(WORK, format!("https://{}", moto.address))
            .envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
        let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        (trusted, said, child.expect("chroot is there"))
    });
    for (trusted, said, child) in asked {
        let output = child.wait_with_output().expect("the child is ours");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains(said), "{trusted:?}: {told}{output:?}");
    }
}

/// Reads a role that is not there, and tells how it went.
#[tokio::test]
#[ignore = "the test of TLS starts it"]
async fn a_process_that_speaks_tls() {
    let url = std::env::var(WORK).expect("started by the other test");
    // Several of these run side by side, and each writes its keys.
    let folder = tempfile::tempdir().expect("a folder");
    let mut cloud = cloud(folder.path(), SocketAddr::from(([127, 0, 0, 1], 1)), "missing");
    cloud.aws.endpoint_url = Some(url);
    println!("{}", CloudChange::plan(&cloud, "missing", all_at_once).await.expect_err("no such role"));
}

/// Where [`a_process_that_is_killed`] finds its work.
const WORK: &str = "LOOPDRILL_TEST_WORK";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_in_the_middle_is_undone_to_the_byte() {
    let Some(moto) = Moto::start() else { return };
    moto.iam(&["make", "killed", "3"]);
    let before = moto.dump("killed");
    const EDITS: [&str; 5] = [
        "UpdateAssumeRolePolicy",
        "DetachRolePolicy",
        "DeleteRolePolicy",
        "PutRolePolicy",
        "AttachRolePolicy",
    ];
    // The role is changed by seven edits; the process dies while it waits for the answer to one of them.
    for edits_before_the_end in [0, 1, 4, 6] {
        let folder = tempfile::tempdir().expect("a folder");
        let hold = Arc::new(Mutex::new(Some(edits_before_the_end)));
        let held = Arc::clone(&hold);
        let gate = Gate::open(&moto, move |action| {
            let mut hold = held.lock().expect("not poisoned");
            match (EDITS.contains(&action), *hold) {
                (true, Some(0)) => Verdict::Hold,
                (true, Some(left)) => {
                    *hold = Some(left - 1);
                    Verdict::Pass
                }
                _ => Verdict::Pass,
            }
        });
        let gate = gate.await;
        cloud(folder.path(), gate.address, "killed");
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "a_process_that_is_killed", "--ignored", "--nocapture"])
            .env(WORK, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let deadline = Instant::now() + Duration::from_secs(60);
        let edits = || {
            gate.heard.lock().expect("not poisoned").iter().filter(|a| EDITS.contains(&a.as_str())).count()
        };
        while edits() <= edits_before_the_end {
            assert!(Instant::now() < deadline, "the change did not begin");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().expect("SIGKILL is always delivered");
        child.wait().expect("the child is ours");
        *hold.lock().expect("not poisoned") = None;
        assert_eq!(moto.dump("killed") == before, edits_before_the_end == 0, "it was in the middle");

        let journals = journal::list(folder.path()).expect("a readable folder");
        let text = fs::read_to_string(&journals[0]).expect("a journal");
        assert!(
            text.contains("killed") && !text.contains("canary/") && !text.contains("AKIACANARY"),
            "{text}"
        );
        let (journal, found) = Journal::recover(&journals[0]).expect("readable").expect("dirty");
        assert!(found.damage.is_empty() && journal.pending().len() == 1);
        let left = lifecycle::undo(&access(), &journal, &journal.pending()).await;
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(moto.dump("killed"), before);
        journal.close().expect("removed");
    }
}

/// Injects, and is killed by its parent.
#[tokio::test]
#[ignore = "the test of the killed run starts it"]
async fn a_process_that_is_killed() {
    let folder = std::env::var_os(WORK).expect("started by the other test");
    let folder = Path::new(&folder);
    let aws = AwsTarget::read(&folder.join("aws.yaml")).expect("a good file");
    let cloud = CloudFacts { aws, of_lab: false };
    let plan = vec![changed(CloudChange::plan(&cloud, "killed", all_at_once).await.expect("a plan"))];
    let journal = Journal::open(folder, &handle(), "r1").expect("a journal");
    lifecycle::inject(&access(), &journal, &drill(), plan).await.expect("in force");
}
