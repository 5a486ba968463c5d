//! `loopdrill explain`: what the words of reports mean, from the same tables that the reports are made of.

use crate::Failure;
use loopdrill_checklist::{checks, output};
use loopdrill_faults::{Fault, catalogue, cloud_catalogue};
use loopdrill_model::{Capability, Cause, ExitStatus, Gate, Loop, Outcome};
use loopdrill_report::advice;
use std::{io::Write as _, sync::Arc};

/// Options of `loopdrill explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A check (CO-04), cause (volume-full), loop (network), fault (overlay-mtu), drill (overlay-mtu/df), variant (df),
    /// gate (detected), outcome (resilient), signal (probe) or exit code (4)
    #[arg(value_name = "WORD")]
    word: String,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill explain CO-04            why a check matters and what to do about it
  loopdrill explain overlay-mtu/df   what a drill does, needs and expects
  loopdrill explain resilient        what an outcome means
  loopdrill explain 4                what an exit code means";

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
    let found = [check, cause, drills, control_loop, gate, outcome, signal, exit_code]
        .into_iter()
        .filter_map(|explain| explain(args.word.trim()));
    let texts: Vec<String> = found.collect();
    if texts.is_empty() {
        return Err(Failure::usage(format!(
            "nothing is called {}; `loopdrill list` names drills, `loopdrill check --list` checks, and \
             `loopdrill explain --help` the kinds of words",
            args.word
        )));
    }
    // A reader that has seen enough, such as `head`, is no error.
    let _ = writeln!(std::io::stdout(), "{}", texts.join("\n").trim_end());
    Ok(ExitStatus::Ready)
}

fn check(word: &str) -> Option<String> {
    checks::by_id(word).map(output::explain)
}

fn cause(word: &str) -> Option<String> {
    let cause = Cause::ALL.iter().copied().find(|c| c.name() == word)?;
    let next = advice(cause, &[]);
    let named = |fault: &&Arc<dyn Fault>| fault.spec().roots.concat().contains(&cause);
    let drills: Vec<_> = all().iter().filter(named).map(|f| f.spec().id().to_string()).collect();
    let drilled = if drills.is_empty() { "by no drill".into() } else { drills.join(", ") };
    Some(format!(
        "{cause}  {}\n\nloop:     {}\nlook:     {}\nmend:     {}\ndrilled:  {drilled}\n",
        cause.title(),
        cause.control_loop(),
        next.look,
        next.mend
    ))
}

fn all() -> Vec<Arc<dyn Fault>> {
    catalogue().into_iter().chain(cloud_catalogue()).collect()
}

/// A fault, a variant, or both.
fn drills(word: &str) -> Option<String> {
    let is_meant = |f: &Arc<dyn Fault>| {
        let spec = f.spec();
        spec.fault == word || spec.variant == word || spec.id().to_string() == word
    };
    let meant: Vec<_> = all().into_iter().filter(is_meant).map(|fault| drill(&*fault)).collect();
    match word {
        "control" | "control/none" => Some(
            "control/none  nothing is injected\n\nThe detector watches a healthy cluster and must find nothing. It goes \
             first and alone.\n"
                .into(),
        ),
        _ => (!meant.is_empty()).then(|| meant.join("\n")),
    }
}

fn drill(fault: &dyn Fault) -> String {
    let spec = fault.spec();
    let expected = spec.expectation();
    let needs: Vec<_> = spec.needs.iter().map(Capability::to_string).collect();
    let roots: Vec<_> = expected.roots.iter().map(ToString::to_string).collect();
    let listed = |all: Vec<String>, none: &str| if all.is_empty() { none.into() } else { all.join(", ") };
    let mut text = format!("{}  {}\n\n", spec.id(), spec.title);
    text += &format!("group:     {}\n", spec.group);
    text += &format!("expected:  {}\n", listed(roots, "silence: nothing is wrong"));
    text += &format!("needs:     {}\n", listed(needs, "nothing that a cluster may lack"));
    text + &format!("try:       loopdrill run --fault {} --variant {}\n", spec.fault, spec.variant)
}

fn control_loop(word: &str) -> Option<String> {
    let l = Loop::DRILLED.into_iter().chain([Loop::Workload]).find(|l| l.name() == word)?;
    let what = match l {
        Loop::Identity => "Authenticates the request: ServiceAccounts, cloud IAM, registry credentials.",
        Loop::Compute => "Places the workload: scheduler and kubelet.",
        Loop::Network => "Routes the packet: CNI, overlay, Services, DNS.",
        Loop::Storage => "Provisions the bytes: CSI and zonal disks.",
        Loop::ControlPlane => "Keeps the other four converging: etcd, API server, controllers.",
        Loop::Workload => "The application itself: a bug, a bad flag, a wrong tag.",
    };
    let causes = Cause::ALL.iter().filter(|c| c.control_loop() == l);
    let causes: String = causes.map(|c| format!("  {:<24} {}\n", c.name(), c.title())).collect();
    Some(format!("{l}  {what}\n\ncauses:\n{causes}"))
}

fn gate(word: &str) -> Option<String> {
    let gate = Gate::ALL.into_iter().find(|g| g.name() == word)?;
    let what = match gate {
        Gate::Injected => {
            "Is the fault really in force? Read back from the kernel, the API or the cloud; an empty read-back is a no."
        }
        Gate::Manifested => "Does the victim show the symptom? Seen from its own side, without any detector.",
        Gate::Detected => {
            "Did the detector notice, within its budget (--detect-within, from the symptom on)?"
        }
        Gate::Attributed => "Did it name the right loop and cause, and no wrong one above it?",
        Gate::Recovered => "After the undo, is everything as it was, and has the alarm gone?",
    };
    Some(format!("{gate}  a gate of every drill\n\n{what}\n"))
}

fn outcome(word: &str) -> Option<String> {
    let all = [
        Outcome::Passed,
        Outcome::Failed(Gate::Detected),
        Outcome::Resilient,
        Outcome::NotInjected,
        Outcome::CleanupFailed,
        Outcome::Errored,
        Outcome::Skipped(Capability::TwoZones),
        Outcome::Interrupted,
    ];
    let name = |o: &Outcome| o.to_string().split([' ', '(']).next().unwrap_or_default().to_string();
    let outcome = all.into_iter().find(|o| name(o) == word)?;
    let what = match outcome {
        Outcome::Passed => "All five gates held: noticed, blamed rightly and undone.",
        Outcome::Failed(_) => "A gate did not hold; the first that did not is named.",
        Outcome::Resilient => {
            "The fault was really in force to the end, and the victim stayed well. Good news."
        }
        Outcome::NotInjected => "The fault could not be put in force, so the drill proves nothing.",
        Outcome::CleanupFailed => {
            "The fault, or something of ours, could not be removed: run `loopdrill undo`."
        }
        Outcome::Errored => "The infrastructure failed, so the drill proves nothing.",
        Outcome::Skipped(_) => {
            "The cluster lacks what the drill needs; it is named. --require makes that a failure."
        }
        Outcome::Interrupted => "The run was stopped, and what the drill had done is undone.",
    };
    let code = outcome.exit(false).code();
    Some(format!("{word}  an outcome of a drill\n\n{what}\n\nexit code: {code}\n"))
}

fn exit_code(word: &str) -> Option<String> {
    let all = [
        (ExitStatus::Ready, "ready: every drill passed, was resilient, or was skipped without --require"),
        (
            ExitStatus::NotReady,
            "not ready: a gate did not hold, a false alarm, a regression, or nothing was proven",
        ),
        (ExitStatus::Usage, "usage or configuration: nothing was run"),
        (ExitStatus::NoCluster, "no cluster could be provided, or it was lost on the way"),
        (ExitStatus::NotInjected, "a fault could not be injected, so the run proves nothing about it"),
        (ExitStatus::CleanupFailed, "something could not be undone: run `loopdrill undo`; nothing is worse"),
        (
            ExitStatus::NotAdmitted,
            "the cluster does not admit what a drill needs: a right, a policy; nothing of it was done",
        ),
        (ExitStatus::Interrupted, "interrupted, and cleaned up"),
    ];
    let (status, what) = all.into_iter().find(|(status, _)| status.code().to_string() == word)?;
    Some(format!(
        "exit code {}  {what}\n\nThe worst outcome of a run decides, and nothing later overwrites it.\n",
        status.code()
    ))
}

/// What detectors look at. A signal has the name that recordings give it.
fn signal(word: &str) -> Option<String> {
    let (name, what) = SIGNALS.iter().find(|(name, _)| *name == word)?;
    Some(format!("{name}  a signal, as it stands in recordings\n\n{what}\n"))
}

/// Every signal, by its name in recordings.
const SIGNALS: &[(&str, &str)] = &[
    ("pod", "A pod as it is now."),
    ("node", "A node as it is now."),
    ("claim", "A PersistentVolumeClaim as it is now."),
    ("volume", "A PersistentVolume as it is now."),
    ("storage-class", "A StorageClass as it is now."),
    ("attachment", "A VolumeAttachment as it is now."),
    ("controller", "A controller (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job) as it is now."),
    ("service", "A Service as it is now."),
    ("endpoints", "The endpoints of a Service, summed over its slices."),
    ("lease", "A leader-election lease as it is now."),
    ("quota", "A ResourceQuota as it is now."),
    ("grant", "What a role binding gives to a ServiceAccount."),
    ("network-policy", "A NetworkPolicy as it is now."),
    ("namespace", "A namespace as it is now."),
    ("node-drivers", "What a node's CSI drivers can take."),
    ("aggregated-api", "An APIService as it is now: who answers that API, and whether."),
    ("event", "A Kubernetes event, without what it quotes from elsewhere."),
    ("gone", "An object was deleted, or fell out of the watched set."),
    ("access-review", "The API server's answer to \"may this account do that?\"."),
    ("cloud-role", "A role of a cloud as it is now: names and fingerprints, no policy."),
    ("cloud-answer", "A cloud's answer to a ServiceAccount's token, as a kind."),
    ("log", "How much a container has written to its log; never what."),
    ("clue", "What a failing container said, as a class with names, hosts and ports; never its text."),
    ("metric", "A counter or gauge of a metrics endpoint."),
    ("histogram", "A histogram of a metrics endpoint."),
    ("usage", "What a node really uses."),
    ("interface", "Counters of one network interface of a node."),
    ("ip-counters", "Counters of a node's IP and TCP layers."),
    ("probe", "The answer to one active probe between nodes, or of the DNS."),
    ("source-state", "A source of signals became available or was lost."),
    ("tick", "Nothing happened, and time went on."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_report_is_explained() {
        let loops = Loop::DRILLED.map(|l| l.name().to_string());
        let gates = Gate::ALL.map(|g| g.name().to_string());
        let faults = all()
            .iter()
            .flat_map(|f| {
                let spec = f.spec();
                [spec.fault.to_string(), spec.variant.to_string(), spec.id().to_string()]
            })
            .collect::<Vec<_>>();
        let causes = Cause::ALL.iter().map(|c| c.name().to_string());
        let more =
            ["CO-04", "control", "workload", "resilient", "skipped", "failed", "0", "5", "130", "probe"];
        let words = loops.into_iter().chain(gates).chain(faults).chain(causes).chain(more.map(String::from));
        for word in words {
            assert!(main(&Args { word: word.clone() }).is_ok(), "{word}");
        }
        assert!(main(&Args { word: "nonsense".into() }).is_err());
    }

    /// The names of signals are those that recordings hold; the compiler knows the variants, serde the names.
    #[test]
    fn every_signal_of_a_recording_is_explained() {
        let unknown = serde_json::from_str::<loopdrill_model::Signal>(r#"{"type":"no-such-signal"}"#);
        let told = unknown.expect_err("no such signal").to_string();
        let names: Vec<&str> = told.split('`').skip(3).step_by(2).collect();
        assert!(names.len() > 20, "{told}");
        for name in &names {
            assert!(signal(name).is_some(), "{name}");
        }
        assert_eq!(names.len(), SIGNALS.len(), "{told}");
    }
}
