//! The live view: a line a running drill with its gates, what it waits for, and the time it has taken.

use super::words::Teller;
use crate::{Mark, Screen, say};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use loopdrill_model::{Event, EventKind, FaultId, Gate};
use std::{collections::BTreeMap, fmt, time::Duration};

pub(super) struct Live {
    bars: MultiProgress,
    drills: BTreeMap<FaultId, Line>,
    /// What goes on outside of the drills.
    run: Option<ProgressBar>,
    widest: usize,
}

struct Line {
    bar: ProgressBar,
    marks: BTreeMap<Gate, Mark>,
    doing: String,
}

impl Live {
    pub(super) fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    #[cfg(test)]
    pub(super) fn hidden() -> Self {
        Self::on(ProgressDrawTarget::hidden())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self { bars: MultiProgress::with_draw_target(target), drills: BTreeMap::new(), run: None, widest: 0 }
    }

    /// For lines above the view.
    pub(super) fn lines(&self) -> MultiProgress {
        self.bars.clone()
    }

    pub(super) fn event(&mut self, event: &Event, teller: &mut Teller) {
        match (&event.drill, &event.kind) {
            (None, EventKind::RunStarted { drills, .. }) => {
                self.widest = drills.iter().map(|d| d.to_string().len()).max().unwrap_or(0);
                self.above(event, teller);
            }
            (None, EventKind::Progress { .. }) => {
                let bar = self.run.get_or_insert_with(|| spinner(&self.bars));
                bar.set_message(teller.say(event).unwrap_or_default());
            }
            (_, EventKind::RunFinished { .. }) => {
                self.clear();
                let _ = self.bars.println("");
            }
            (None, _) => {
                self.run.take().inspect(ProgressBar::finish_and_clear);
                self.above(event, teller);
            }
            (Some(id), EventKind::DrillFinished { .. }) => {
                self.drills.remove(id).inspect(|line| line.bar.finish_and_clear());
                self.above(event, teller);
            }
            (Some(id), EventKind::UndoFinished { error: Some(_) }) => {
                self.above(event, teller);
                self.drill(id, event, teller);
            }
            (Some(id), _) => self.drill(id, event, teller),
        }
    }

    pub(super) fn clear(&mut self) {
        self.drills.clear();
        self.run = None;
        // A terminal that went away has nothing left to be cleared.
        let _ = self.bars.clear();
    }

    /// A line that stays.
    fn above(&mut self, event: &Event, teller: &mut Teller) {
        if let Some(line) = teller.line(event, Some(Screen::stderr().width)) {
            let _ = self.bars.println(line);
        }
    }

    fn drill(&mut self, id: &FaultId, event: &Event, teller: &mut Teller) {
        let (bars, widest, style) = (&self.bars, self.widest, Screen::stderr().style);
        let line = self.drills.entry(id.clone()).or_insert_with(|| {
            let bar = spinner(bars);
            bar.set_prefix(say::pad(&id.to_string(), widest, false));
            Line { bar, marks: BTreeMap::new(), doing: String::new() }
        });
        if let EventKind::GateAnswered { gate, result } = &event.kind {
            line.marks.insert(*gate, Mark::of(result));
            line.doing = Gate::ALL
                .into_iter()
                .find(|g| !line.marks.contains_key(g))
                .map_or("all gates are answered".into(), |next| format!("waiting for `{next}`"));
        } else if let Some(said) = teller.say(event) {
            line.doing = said;
        }
        let marks = Gate::ALL.map(|g| line.marks.get(&g).map_or("·".into(), |m| style.mark(*m))).join(" ");
        line.bar.set_message(format!("{marks}  {}", line.doing));
    }
}

fn spinner(bars: &MultiProgress) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    let style = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg} {took}")
        .expect("the template is constant")
        .with_key("took", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let took = jiff::SignedDuration::try_from(state.elapsed()).unwrap_or_default();
            // indicatif offers no way to report a failed write to a string.
            let _ = out.write_str(&say::duration(took));
        });
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
