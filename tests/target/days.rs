//! Bad days of a run on a cluster that only a kubeconfig reaches: its account loses a right or is no more, the API server is gone for a
//! while, its image cannot be pulled. Each is told with the next step and an exit code, and nothing stays.

use crate::{
    Bed, CONTEXT, holders,
    support::{Run, text, wait},
    undone_from,
};
use loopdrill_model::Gate;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    process::{Child, Output, Stdio},
    thread::sleep,
    time::Duration,
};

/// A run that has cordoned a node and waits for a detector that says nothing.
fn cordoned(bed: &Bed, run: &Run) -> Child {
    let target = bed.target(|t| t).display().to_string();
    let args = ["run", "--context", CONTEXT, "--target", &target, "--variant", "cordon"];
    let silent = ["--detector", "none", "--detect-within", "600"];
    let mut command = bed.command(run, &[&args[..], &silent].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    // The drill itself has nothing more to ask for then.
    run.wait_for_event("the cordon in force, and its symptom", |event| {
        event["event"] == "gate-answered" && event["gate"] == Gate::Manifested.name()
    });
    child
}

/// Ends it as Ctrl-C does.
fn stopped(child: Child) -> Output {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it is ours");
    child.wait_with_output().expect("it ends")
}

/// What happens to the account, and the words that tell it.
fn an_account_is_lost(bed: &Bed, kind: &str, words: &[&str]) {
    let (run, elsewhere) = (Run::new(), Run::new());
    let child = cordoned(bed, &run);
    bed.kubectl(&["delete", kind, "loopdrill-drills", "-n", "default"], None);
    // The API server knows for some seconds whom it has let in.
    let asks = ["target", "init", "--context", CONTEXT];
    wait("an account that is refused", Duration::from_secs(60), || {
        let asked = bed.command(&elsewhere, &asks).output().expect("the binary runs");
        (!asked.status.success()).then_some(())
    });
    let output = stopped(child);
    let told = text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{kind}: {told}");
    words.iter().for_each(|word| assert!(told.contains(word), "{kind}: {word} is not in: {told}"));
    bed.account(&[]);
    let undone = undone_from(bed, &elsewhere);
    assert!(undone.contains("Node"), "{undone}");
}

/// An API server that nobody can ask for a minute is waited for.
fn the_api_server_is_gone_for_a_minute(bed: &Bed) {
    let (run, elsewhere) = (Run::new(), Run::new());
    let child = cordoned(bed, &run);
    let plane = holders::plane(bed);
    holders::on(bed, &plane, "pkill -STOP -x kube-apiserver");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it is ours");
    // This is the minute, and no wait for something.
    sleep(Duration::from_secs(60));
    holders::on(bed, &plane, "pkill -CONT -x kube-apiserver");
    let output = child.wait_with_output().expect("it ends");
    let told = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(130 | 5)), "{told}");
    undone_from(bed, &elsewhere);
}

fn its_image_cannot_be_pulled(bed: &Bed) {
    let run = Run::new();
    let image = format!("name: \"{}\"", bed.image);
    let target = bed.target(|t| t.replace(&image, "name: registry.invalid/team/loopdrill:1"));
    let output = bed.drill(&run, &target, &["--variant", "rbac"]);
    let drill = run.report().drills.remove(0);
    let why = drill.error.unwrap_or_default();
    for word in ["registry.invalid/team/loopdrill:1", "image.name"] {
        assert!(why.contains(word), "{word} is not in: {why}");
    }
    assert_eq!(output.status.code(), Some(3), "{why}\n{}", text(&output.stderr));
}

/// All of them, one after the other.
#[test]
#[ignore = "some minutes; ci/kill-matrix --holders runs it"]
fn what_a_run_loses_is_told_and_nothing_stays() {
    let bed = Bed::up();
    let before = bed.snapshot();
    an_account_is_lost(&bed, "clusterrolebinding", &["forbidden"]);
    bed.assert_same(&before, "a right that was taken away");
    an_account_is_lost(&bed, "serviceaccount", &["Unauthorized"]);
    bed.assert_same(&before, "a credential that is no more");
    the_api_server_is_gone_for_a_minute(&bed);
    bed.assert_same(&before, "an API server that was gone");
    its_image_cannot_be_pulled(&bed);
    bed.assert_same(&before, "an image that nobody has");
}
