//! What a person sees of a run: progress on standard error, the scorecard on standard output.
//!
//! On a terminal the progress is a live view with a line a running drill; elsewhere, one plain line an event
//! that matters. Both are folds over the same stream and use the same words (`words`).

mod live;
mod words;

use crate::{Fold, ReportError, Scorecard, Screen};
use live::Live;
use loopdrill_model::{Event, EventKind};
use std::{
    env,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};
use words::Teller;

/// How the console behaves.
#[derive(Debug, Clone, Default)]
pub struct ConsoleOptions {
    /// Where the other reports are written, to be named at the end.
    pub output_dir: Option<PathBuf>,
    /// No progress, only the scorecard.
    pub quiet: bool,
}

/// The fold for people.
pub struct Console {
    progress: Progress,
    teller: Teller,
    screen: Screen,
    result: Box<dyn Write + Send>,
    output_dir: Option<PathBuf>,
}

enum Progress {
    Live(Live),
    Plain(LineWriter),
    None,
}

impl Console {
    /// The console of this process.
    #[must_use]
    pub fn new(options: ConsoleOptions) -> Self {
        let dumb = env::var_os("TERM").is_none_or(|t| t == "dumb");
        let progress = match (options.quiet, io::stderr().is_terminal() && !dumb) {
            (true, _) => Progress::None,
            (false, true) => Progress::Live(Live::new()),
            (false, false) => Progress::Plain(LineWriter { live: None }),
        };
        Self {
            progress,
            teller: Teller::default(),
            screen: Screen::stdout(),
            result: Box::new(io::stdout()),
            output_dir: options.output_dir,
        }
    }

    /// A writer for log lines and messages that does not garble the live view. Each write is one or more whole
    /// lines.
    #[must_use]
    pub fn lines(&self) -> LineWriter {
        match &self.progress {
            Progress::Live(live) => LineWriter { live: Some(live.lines()) },
            _ => LineWriter { live: None },
        }
    }

    fn say(&mut self, event: &Event) {
        match &mut self.progress {
            Progress::Live(live) => live.event(event, &mut self.teller),
            Progress::Plain(out) => {
                if matches!(event.kind, EventKind::RunFinished { .. }) {
                    let _ = out.write_all(b"\n");
                }
                if let Some(line) = self.teller.line(event, None) {
                    // Progress that nobody can read is no reason to stop a drill.
                    let _ = out.write_all(format!("{line}\n").as_bytes());
                }
            }
            Progress::None => {}
        }
    }
}

impl Fold for Console {
    fn event(&mut self, event: &Event) {
        self.say(event);
        let EventKind::RunFinished { report, .. } = &event.kind else { return };
        let mut text = Scorecard::from(&**report).text(self.screen);
        if let Some(dir) = &self.output_dir {
            text += &format!("reports in {}\n", dir.display());
        }
        // A closed pipe (`| head`) is the reader's choice; the verdict is also in the exit code.
        let _ = self.result.write_all(text.as_bytes()).and_then(|()| self.result.flush());
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        if let Progress::Live(live) = &mut self.progress {
            live.clear();
        }
        Ok(())
    }
}

/// Standard error, above the live view where there is one. Cheap to clone; usable from any thread.
#[derive(Clone)]
pub struct LineWriter {
    live: Option<indicatif::MultiProgress>,
}

impl Write for LineWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &self.live {
            Some(live) => live.println(String::from_utf8_lossy(text).trim_end_matches('\n'))?,
            None => io::stderr().write_all(text)?,
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Style, sample};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic elsewhere").write(text)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_result_is_the_scorecard_and_where_the_reports_are() {
        let out = Shared::default();
        let mut console = Console {
            progress: Progress::None,
            teller: Teller::default(),
            screen: Screen { width: 80, style: Style::plain() },
            result: Box::new(out.clone()),
            output_dir: Some("report".into()),
        };
        let report = sample::run();
        sample::events(&report).iter().for_each(|e| console.event(e));
        let expected = Scorecard::from(&report).text(Screen { width: 80, style: Style::plain() });
        let said = String::from_utf8(out.0.lock().expect("no panic elsewhere").clone()).expect("text");
        assert_eq!(said, expected + "reports in report\n");
    }

    #[test]
    fn a_live_view_that_nobody_sees_survives_any_order_of_events() {
        let mut console = Console {
            progress: Progress::Live(Live::hidden()),
            teller: Teller::default(),
            screen: Screen::plain(),
            result: Box::new(io::sink()),
            output_dir: None,
        };
        let events = sample::events(&sample::run());
        events.iter().chain(events.iter().rev()).for_each(|e| console.event(e));
        console.lines().write_all(b"a line\n").expect("written");
        console.finish().expect("nothing can fail");
    }
}
