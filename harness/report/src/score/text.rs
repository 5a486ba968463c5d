//! The score as text: one line a detector, all drills side by side where there are rivals, and a matrix each.

use super::{ANSWERS, Case, DetectorScore, Score, Spread, answer_name};
use crate::{
    Screen,
    say::{clean, count, cut, pad, seconds, wrap},
};
use loopdrill_model::{FaultId, Loop};

/// Columns of a time.
const TIME: usize = 10;
/// Columns of everything beside a detector's name, with a short blame.
const BESIDE: usize = 55;

impl Score {
    /// The score for `screen`, ending with a line break; empty where nobody was asked anything.
    #[must_use]
    pub fn text(&self, screen: Screen) -> String {
        let mut out = String::new();
        if self.detectors.len() > 1 {
            out += &self.side_by_side(screen);
        }
        for score in &self.detectors {
            out += &score.text(screen);
        }
        out
    }

    fn side_by_side(&self, screen: Screen) -> String {
        let s = screen.style;
        let widest = self.detectors.iter().map(|d| console::measure_text_width(&d.detector)).max();
        let name = widest.unwrap_or(0).max("DETECTOR".len()).min(screen.width.saturating_sub(BESIDE).max(8));
        let head = ["LAG", "LEAD", "SINCE"].map(|h| pad(h, TIME, true)).join(" ");
        let head = format!("  {}  {head}  BLAMED", pad("DETECTOR", name, false));
        let mut out = format!("\n{}\n", s.dim(&head));
        let mut before: Option<&FaultId> = None;
        for case in &self.cases {
            if before.replace(&case.id) != Some(&case.id) {
                out += &format!("{}\n", s.bold(&cut(&case.id.to_string(), screen.width)));
            }
            let times = [case.lag, case.lead, case.since_injection].map(|t| pad(&time(t), TIME, true));
            let row = format!("  {}  {}", pad(&cut(&case.detector, name), name, false), times.join(" "));
            let room = screen.width.saturating_sub(console::measure_text_width(&row) + 2);
            let looked = case.took.map(|took| format!(", looked {}", seconds(took))).unwrap_or_default();
            let blamed = cut(&format!("{} {}{looked}", sign(case), answer_name(case.blamed)), room);
            let blamed = if case.right { s.good(&blamed) } else { s.bad(&blamed) };
            out += &format!("{row}  {blamed}\n");
        }
        out
    }
}

impl DetectorScore {
    fn text(&self, screen: Screen) -> String {
        let s = screen.style;
        let mut said = format!(
            "{}: {} of {} named rightly",
            self.detector,
            self.attributed,
            count(self.faults, "fault")
        );
        said += &format!(", {} noticed", self.detected);
        let quiet = self.asked - self.faults;
        if quiet > 0 {
            said += &format!("; silent in {} of {quiet} where nothing was wrong", self.silent);
        }
        said += &format!("; {}", count(self.false_alarms, "false alarm"));
        for (what, spread) in [
            ("lag", self.lag),
            ("lead", self.lead),
            ("since the fault", self.since_injection),
            ("a look", self.took),
        ] {
            said += &spread.map(|s| format!("; {what} {}", spread_text(s))).unwrap_or_default();
        }
        if let Some(error) = &self.error {
            said += &format!("; it ended early: {}", clean(error));
        }
        let mut out = String::from("\n");
        for line in wrap(&said, screen.width) {
            out += &format!("{}\n", s.bold(&line));
        }
        out + &self.matrix(screen)
    }

    /// Rows that were asked for; the diagonal is right.
    fn matrix(&self, screen: Screen) -> String {
        let s = screen.style;
        let label = ANSWERS.map(|a| answer_name(a).len()).into_iter().max().unwrap_or(0) + 2;
        let wide = ANSWERS.map(|a| answer_name(a).len() + 2).iter().sum::<usize>() + label <= screen.width;
        let head = |a: Option<Loop>| if wide { answer_name(a) } else { &answer_name(a)[..4] };
        let heads = ANSWERS.map(|a| pad(head(a), head(a).len() + 2, true)).concat();
        let has_lags = label + heads.len() + 2 * TIME <= screen.width;
        let heads =
            if has_lags { heads + &pad("lag", TIME, true) + &pad("worst", TIME, true) } else { heads };
        let corner = if wide { "really ↓ said →" } else { "really, said" };
        let mut out = format!("{}\n", s.dim(&format!("{}{heads}", pad(&cut(corner, label), label, false))));
        for really in ANSWERS.into_iter().filter(|r| self.confusion.asked(*r) > 0) {
            out += &pad(&format!("  {}", answer_name(really)), label, false);
            for said in ANSWERS {
                let (n, width) = (self.confusion.count(really, said), head(said).len() + 2);
                let cell = if n == 0 { "·".into() } else { n.to_string() };
                let cell = pad(&cell, width, true);
                out += &match (n, really == said) {
                    (0, _) => s.dim(&cell),
                    (_, true) => s.good(&cell),
                    (_, false) => s.bad(&cell),
                };
            }
            let lag = self.lag_by_loop.get(answer_name(really)).filter(|_| has_lags);
            out += &lag
                .map(|l| pad(&seconds(l.median), TIME, true) + &pad(&seconds(l.worst), TIME, true))
                .unwrap_or_default();
            out.push('\n');
        }
        out
    }
}

fn sign(case: &Case) -> &'static str {
    if case.right { "✓" } else { "✗" }
}

fn time(t: Option<f64>) -> String {
    t.map_or("–".into(), seconds)
}

fn spread_text(s: Spread) -> String {
    format!("{} (worst {})", seconds(s.median), seconds(s.worst))
}
