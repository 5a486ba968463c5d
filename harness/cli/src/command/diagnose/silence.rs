//! `no finding`, with what it rests on: what was looked at, what could not be seen, and what one flag would add.

use super::{Args, lacks};
use loopdrill_model::Examined;
use loopdrill_report::{Document, Timeline};

/// How the look was asked for.
pub(super) struct Asked {
    pub(super) once: bool,
    pub(super) probes: bool,
    pub(super) logs: bool,
    /// By a kubeconfig alone: then probes need an image.
    pub(super) by_context: bool,
}

impl Asked {
    pub(super) fn of(args: &Args) -> Self {
        Self {
            once: args.once,
            probes: args.subject.probes(),
            logs: !args.no_logs,
            by_context: args.subject.by_context(),
        }
    }
}

/// A silence that says what it rests on.
pub(super) fn no_finding(timeline: &Timeline, asked: &Asked) -> String {
    let document = timeline.document();
    let mut lines = vec!["no finding".to_owned()];
    if let Some(examined) = document.examined {
        lines.push(format!("  examined: {}", what(examined)));
    }
    lines.extend(lacks(timeline).into_iter().map(|lack| format!("  not seen: {lack}")));
    if let Some(more) = more(&document, asked) {
        lines.push(format!("  more: {more}"));
    }
    lines.join("\n")
}

fn what(e: &Examined) -> String {
    let count = |n: usize, one: &str, many: &str| match n {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    };
    let control_plane = match &e.control_plane[..] {
        [] => "no metrics of the control plane".to_owned(),
        some => format!("the metrics of {}", some.join(", ")),
    };
    [
        count(e.nodes, "node", "nodes"),
        count(e.pods, "pod", "pods"),
        count(e.logs, "log of a failing container", "logs of failing containers"),
        count(e.paths, "path between nodes", "paths between nodes and to the DNS"),
        control_plane,
    ]
    .join(", ")
        + &format!("; for {} s", e.seconds)
}

/// What one flag would add: the flag that adds most.
fn more(document: &Document<'_>, asked: &Asked) -> Option<&'static str> {
    let paths = document.examined.is_some_and(|e| e.paths > 0);
    match asked {
        Asked { probes: false, by_context: true, .. } if !paths => {
            Some("--probes --probe-image IMAGE also asks the ways between nodes and the DNS")
        }
        Asked { probes: false, .. } if !paths => {
            Some("--probes also asks the ways between nodes and the DNS")
        }
        Asked { logs: false, .. } => {
            Some("without --no-logs the last words of failing containers count, too")
        }
        Asked { once: true, .. } => Some("--for 60s instead of --once also sees what comes and goes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Source, signal::SourceState};

    const ONCE: Asked = Asked { once: true, probes: false, logs: true, by_context: true };

    #[test]
    fn silence_says_what_it_rests_on() {
        let mut timeline = Timeline::default();
        timeline.examined(Examined {
            nodes: 3,
            pods: 41,
            logs: 1,
            paths: 0,
            control_plane: vec!["apiserver".into()],
            seconds: 5,
        });
        let lost = Some("probes were not asked for".into());
        timeline.source(&SourceState { name: Source::other("agents"), lost });
        let lost = Some("pods \"a\" is forbidden: cannot get resource \"pods/log\"".into());
        timeline.source(&SourceState { name: Source::other("logs"), lost });
        assert_eq!(
            no_finding(&timeline, &ONCE),
            "no finding\n  examined: 3 nodes, 41 pods, 1 log of a failing container, no path between nodes, the \
             metrics of apiserver; for 5 s\n  not seen: without agents: probes were not asked for\n  not seen: \
             without what this account may not read: logs\n  more: --probes --probe-image IMAGE also asks the ways \
             between nodes and the DNS"
        );
    }

    #[test]
    fn one_flag_is_named_that_adds_most() {
        let timeline = Timeline::default();
        let more = |asked: Asked| more(&timeline.document(), &asked);
        assert!(more(Asked { by_context: false, ..ONCE }).is_some_and(|m| m.starts_with("--probes also")));
        assert!(more(Asked { probes: true, logs: false, ..ONCE }).is_some_and(|m| m.contains("--no-logs")));
        assert!(more(Asked { probes: true, ..ONCE }).is_some_and(|m| m.contains("--for")));
        assert_eq!(more(Asked { probes: true, once: false, ..ONCE }), None);
    }
}
