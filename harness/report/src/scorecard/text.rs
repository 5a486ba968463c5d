//! The scorecard as text.

use super::{Mark, Row, Scorecard, advice, verdict};
use crate::{
    Score, Screen, Style, diagnosis, gate,
    say::{self, clean, count, cut, pad, percent, wrap},
};
use jiff::{SignedDuration, Timestamp};
use loopdrill_model::{Capability, Diagnosis, Evidence, ExitStatus, Gate, Outcome, RunReport};

/// Columns of a label in front of a detail.
const LABEL: usize = 12;
/// Pieces of evidence shown of a gate.
const EVIDENCE: usize = 5;

impl Scorecard<'_> {
    /// The scorecard for `screen`, ending with a line break.
    #[must_use]
    pub fn text(&self, screen: Screen) -> String {
        let mut out = heading(self.report, screen);
        out.push('\n');
        out += &self.table(screen);
        for row in &self.rows {
            // A row of the table says all about these.
            let is_accepted = row.drill.acceptance.is_some() && !row.is_red(self.report.require);
            if !matches!(row.outcome, Outcome::Passed | Outcome::Skipped(_)) && !is_accepted {
                out += &format!("\n{}", row.details(screen));
            }
        }
        out += &self.false_alarms(screen);
        out += &Score::from(self.report).text(screen);
        out += &self.trouble(screen);
        out.push('\n');
        out += &self.report.gate.as_ref().map(|g| gate::render_gate(g, screen) + "\n").unwrap_or_default();
        out += &self.summary(screen);
        out
    }

    fn table(&self, screen: Screen) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let columns = Columns::of(&self.rows, screen);
        let has_floor = columns.floor > 0;
        let mut out = columns.head(screen.style);
        for row in &self.rows {
            out += &columns.row(row, screen);
        }
        let legend = Gate::ALL.map(|g| format!("{} {g}", letter(g))).join(" · ");
        let floor =
            "; FLOOR what the fault itself took to bite and to clear, and how many times that the drill took";
        let floor = if has_floor { floor } else { "" };
        for line in wrap(&format!("{legend}; ✓ held, ✗ did not, – not reached{floor}"), screen.width) {
            out += &format!("{}\n", screen.style.dim(&line));
        }
        out
    }

    fn false_alarms(&self, screen: Screen) -> String {
        let mut out = String::new();
        if !self.stray.is_empty() {
            let head = format!("✗ {} outside of every drill's scope", count(self.stray.len(), "false alarm"));
            out += &format!("\n{}\n", screen.style.bad(&head));
        }
        for finding in self.stray {
            out += &diagnosis::render(finding, screen, "  ");
        }
        out
    }

    fn trouble(&self, screen: Screen) -> String {
        let mut out = String::new();
        for trouble in &self.report.trouble {
            let lines = wrap(&format!("✗ outside of the drills: {trouble}"), screen.width - 2);
            let lines: Vec<_> = lines.iter().map(|l| screen.style.bad(l)).collect();
            out += &format!("\n{}\n", lines.join("\n  "));
        }
        out
    }

    fn summary(&self, screen: Screen) -> String {
        let counts = self.totals.by_name().into_iter().filter(|(_, n)| *n > 0);
        let parts: Vec<_> = counts.map(|(name, n)| format!("{n} {name}")).collect();
        let mut line = count(self.totals.drills, "drill");
        if !parts.is_empty() {
            line += &format!(": {}", parts.join(", "));
        }
        line += &format!("; {}", count(self.totals.false_alarms, "false alarm"));
        let code = format!(" (exit code {})", self.report.exit_code);
        // A gate has said its code.
        let code = if self.report.gate.is_some() { "" } else { &code };
        let verdict = format!("{}{code}", verdict(self));
        let paint = match self.exit {
            ExitStatus::Ready if self.totals.skipped == 0 => Style::good,
            ExitStatus::Ready | ExitStatus::Interrupted => Style::warn,
            _ => Style::bad,
        };
        let verdict = wrap(&verdict, screen.width).iter().map(|l| paint(screen.style, l)).collect::<Vec<_>>();
        format!("{}\n{}\n", wrap(&line, screen.width).join("\n"), verdict.join("\n"))
    }
}

fn heading(report: &RunReport, screen: Screen) -> String {
    let took = say::duration(report.ended_at.duration_since(report.started_at));
    let v = &report.versions;
    let mut parts = vec![format!("loopdrill {}", v.loopdrill)];
    for (name, value) in
        [("cluster ", &report.cluster), ("Kubernetes ", &v.kubernetes), ("kernel ", &v.kernel)]
    {
        if !value.is_empty() {
            parts.push(format!("{name}{value}"));
        }
    }
    let beside: String = report.rivals.iter().map(|r| format!(", beside it {}", r.name)).collect();
    parts.extend([format!("detector {}{beside}", report.detector), format!("run {}", report.run), took]);
    let lines = wrap(&parts.join(" · "), screen.width);
    lines.iter().map(|l| format!("{}\n", screen.style.bold(l))).collect()
}

/// What is blamed, in a few words: `network → overlay-mtu, 97 %`.
pub(crate) fn blame(finding: &Diagnosis) -> String {
    let cause = finding.cause.map(|c| format!(" → {c}")).unwrap_or_default();
    format!("{}{cause}, {}", finding.control_loop, percent(finding.confidence))
}

fn letter(gate: Gate) -> &'static str {
    match gate {
        Gate::Injected => "I",
        Gate::Manifested => "M",
        Gate::Detected => "D",
        Gate::Attributed => "A",
        Gate::Recovered => "R",
    }
}

fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Skipped(_) => "skipped".into(),
        other => other.to_string(),
    }
}

fn time(d: Option<SignedDuration>) -> String {
    d.map_or("–".into(), say::duration)
}

fn floor(row: &Row<'_>) -> String {
    row.floor.map_or("–".into(), |(floor, times)| format!("{} ×{times:.1}", say::duration(floor)))
}

/// Widths of the table's columns. The floor is left out where it does not fit or is not known; the last one, the blame,
/// goes to a line of its own.
struct Columns {
    drill: usize,
    outcome: usize,
    lag: usize,
    lead: usize,
    floor: usize,
    blame_beside: bool,
}

impl Columns {
    const GATES: usize = 9;

    fn of(rows: &[Row<'_>], screen: Screen) -> Self {
        let widest = |head: &str, cell: &dyn Fn(&Row<'_>) -> String| {
            let cells = rows.iter().map(|r| console::measure_text_width(&cell(r)));
            cells.max().unwrap_or(0).max(head.len())
        };
        let mut columns = Columns {
            drill: widest("DRILL", &|r| r.id.to_string()).min(screen.width / 2),
            outcome: widest("OUTCOME", &|r| short(r.outcome)),
            lag: widest("LAG", &|r| time(r.lag)),
            lead: widest("LEAD", &|r| time(r.lead)),
            floor: 0,
            blame_beside: false,
        };
        let floor = widest("FLOOR", &floor);
        if rows.iter().any(|r| r.floor.is_some()) && columns.width() + 2 + floor <= screen.width {
            columns.floor = floor;
        }
        let blame = widest("BLAMED", &|r| r.diagnosis.map(blame).unwrap_or_default());
        columns.blame_beside = columns.width() + 2 + blame <= screen.width;
        columns
    }

    fn width(&self) -> usize {
        let floor = if self.floor > 0 { 2 + self.floor } else { 0 };
        self.drill + Self::GATES + self.outcome + self.lag + self.lead + 4 * 2 + floor
    }

    fn line(&self, [drill, gates, outcome, lag, lead, floor]: [&str; 6]) -> String {
        let mut cells = vec![
            pad(drill, self.drill, false),
            pad(gates, Self::GATES, false),
            pad(outcome, self.outcome, false),
            pad(lag, self.lag, true),
            pad(lead, self.lead, true),
        ];
        if self.floor > 0 {
            cells.push(pad(floor, self.floor, true));
        }
        cells.join("  ")
    }

    fn head(&self, style: Style) -> String {
        let gates = Gate::ALL.map(letter).join(" ");
        let line = self.line(["DRILL", &gates, "OUTCOME", "LAG", "LEAD", "FLOOR"]);
        let line = if self.blame_beside { format!("{line}  BLAMED") } else { line };
        format!("{}\n", style.dim(line.trim_end()))
    }

    fn row(&self, row: &Row<'_>, screen: Screen) -> String {
        let s = screen.style;
        let gates = row.marks.map(|(_, mark)| s.mark(mark)).join(" ");
        let name = s.bold(&cut(&row.id.to_string(), self.drill));
        let outcome = paint_outcome(row.outcome)(s, &short(row.outcome));
        let mut out = self.line([&name, &gates, &outcome, &time(row.lag), &time(row.lead), &floor(row)]);
        let blame = row.diagnosis.map(|d| {
            let text = blame(d);
            if row.blamed_right() { text } else { s.bad(&text) }
        });
        match blame {
            Some(blame) if self.blame_beside => out += &format!("  {blame}"),
            Some(blame) => out += &format!("\n    {blame}"),
            None => {}
        }
        out = out.trim_end().to_owned();
        out.push('\n');
        if let Some(told) = row.accepted() {
            let paint = if row.is_red(true) { Style::bad } else { Style::warn };
            out += &format!("    {}\n", paint(s, &cut(&told, screen.width - 4)));
        }
        if let Some(below) = below(row) {
            out += &format!("    {}\n", s.dim(&cut(&below, screen.width - 4)));
        }
        out
    }
}

/// The one line below a row: what it needs, or the decisive evidence.
fn below(row: &Row<'_>) -> Option<String> {
    match row.outcome {
        Outcome::Skipped(Capability::Admission) => {
            Some(format!("not admitted: {}", row.drill.error.as_deref().unwrap_or("for no reason told")))
        }
        Outcome::Skipped(what) => {
            let why = row.drill.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            Some(format!("needs {what}{why}"))
        }
        _ => row.diagnosis?.evidence.first().map(|e| format!("{}: {}", e.signal, e.value)),
    }
}

fn paint_outcome(outcome: &Outcome) -> fn(Style, &str) -> String {
    match outcome {
        Outcome::Passed | Outcome::Resilient => Style::good,
        Outcome::Skipped(_) | Outcome::Interrupted => Style::warn,
        _ => Style::bad,
    }
}

impl Row<'_> {
    /// Everything a person needs to act on a drill that did not pass.
    #[must_use]
    pub fn details(&self, screen: Screen) -> String {
        let (sign, told) = match self.outcome {
            Outcome::Passed => ("✓", "passed".into()),
            Outcome::Resilient => {
                ("✓", "resilient: the fault was in force, and the victim stayed well".into())
            }
            Outcome::Failed(gate) => ("✗", format!("failed at the gate `{gate}`")),
            Outcome::Interrupted | Outcome::Skipped(_) => ("–", self.outcome.to_string()),
            other => ("✗", other.to_string()),
        };
        let paint = paint_outcome(self.outcome);
        let mut out = String::new();
        for line in wrap(&format!("{sign} {} {told}", self.id), screen.width) {
            out += &format!("{}\n", paint(screen.style, &line));
        }
        for (label, text) in facts(self) {
            out += &labelled(&label, &text, screen, "  ");
        }
        out
    }
}

fn facts(row: &Row<'_>) -> Vec<(String, String)> {
    let drill = row.drill;
    let mut facts: Vec<(String, String)> = Vec::new();
    if !matches!(row.outcome, Outcome::Resilient) {
        let expected = row.expected_loop.map_or("no finding".into(), |l| format!("the {l} loop is blamed"));
        facts.push(("expected".into(), expected));
        facts.push(("found".into(), drill.diagnosis().map_or("no finding".into(), blame)));
    }
    facts.extend(row.accepted().map(|told| ("suite".into(), told)));
    facts.extend(drill.other_findings().iter().take(3).map(|d| ("also found".into(), blame(d))));
    facts.extend(drill.error.iter().map(|e| ("error".into(), e.clone())));
    for gate in Gate::ALL {
        facts.extend(drill.gate(gate).note.iter().map(|note| (gate.to_string(), note.clone())));
    }
    let zero = drill.injected_at();
    facts.extend(telling(row).into_iter().take(EVIDENCE).map(|e| ("evidence".into(), fact(e, zero))));
    if let Some(next) = advice(row) {
        facts.push(("next".into(), next.text));
        facts.extend(next.command.map(|c| ("try".into(), c)));
    }
    facts
}

/// The evidence that explains the outcome: of the gate that did not hold, else of the last one that did, and
/// of the diagnosis.
fn telling<'a>(row: &'a Row<'_>) -> Vec<&'a Evidence> {
    let missed = row.marks.iter().find(|(_, mark)| *mark == Mark::Missed).map(|(gate, _)| *gate);
    let held = row.marks.iter().rev().find(|(_, mark)| *mark == Mark::Held).map(|(gate, _)| *gate);
    let of = |gate: Option<Gate>| gate.map(|g| row.drill.gate(g).evidence.iter()).into_iter().flatten();
    let mut all: Vec<_> = of(missed).collect();
    if all.is_empty() {
        all.extend(of(held));
    }
    for evidence in row.diagnosis.iter().flat_map(|d| &d.evidence) {
        if !all.contains(&evidence) {
            all.push(evidence);
        }
    }
    all
}

/// One fact, with its time relative to the injection.
fn fact(e: &Evidence, zero: Option<Timestamp>) -> String {
    let when = zero.map_or(e.at.to_string(), |zero| after(e.at, zero));
    format!("{}: {} ({}, {when})", clean(&e.signal), clean(&e.value), e.source)
}

pub(crate) fn after(at: Timestamp, zero: Timestamp) -> String {
    let d = at.duration_since(zero);
    format!("{}{}", if d.is_negative() { "" } else { "+" }, say::duration(d))
}

/// `text` behind `label`, broken where the screen ends.
#[must_use]
pub fn labelled(label: &str, text: &str, screen: Screen, indent: &str) -> String {
    let lines = wrap(text, screen.width.saturating_sub(indent.len() + LABEL));
    let mut out = String::new();
    for (n, line) in lines.iter().enumerate() {
        let label = if n == 0 { screen.style.dim(label) } else { String::new() };
        out += &format!("{indent}{}{line}\n", pad(&label, LABEL, false));
    }
    out
}
