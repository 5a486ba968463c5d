//! Where a report is shown: how wide, and with colours or without.

use crate::Mark;
use owo_colors::OwoColorize;
use std::{env, io::IsTerminal};

/// Colours, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    colours: bool,
}

impl Style {
    /// No colours.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colours: false }
    }

    /// Colours.
    #[must_use]
    pub const fn coloured() -> Self {
        Self { colours: true }
    }

    pub(crate) fn good(self, text: &str) -> String {
        if self.colours { text.green().to_string() } else { text.into() }
    }

    pub(crate) fn bad(self, text: &str) -> String {
        if self.colours { text.red().to_string() } else { text.into() }
    }

    pub(crate) fn warn(self, text: &str) -> String {
        if self.colours { text.yellow().to_string() } else { text.into() }
    }

    pub(crate) fn dim(self, text: &str) -> String {
        if self.colours { text.dimmed().to_string() } else { text.into() }
    }

    pub(crate) fn mark(self, mark: Mark) -> String {
        match mark {
            Mark::Held => self.good(mark.sign()),
            Mark::Missed => self.bad(mark.sign()),
            Mark::Unreached => self.dim(mark.sign()),
        }
    }

    /// `text`, so that it is seen first.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        if self.colours { text.bold().to_string() } else { text.into() }
    }
}

/// The place where text will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Colours, or none.
    pub style: Style,
}

impl Screen {
    /// A file or a log: 100 columns, no colours.
    #[must_use]
    pub const fn plain() -> Self {
        Self { width: 100, style: Style::plain() }
    }

    /// Standard output as it is: the terminal's width and colours, unless `NO_COLOR` is set or the terminal is
    /// a dumb one. Where it is no terminal, `COLUMNS` may give the width.
    #[must_use]
    pub fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal(), &console::Term::stdout())
    }

    /// Standard error as it is, likewise.
    #[must_use]
    pub fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal(), &console::Term::stderr())
    }

    fn of(terminal: bool, term: &console::Term) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|t| t == "dumb");
        let columns = || env::var("COLUMNS").ok()?.parse().ok();
        let size = || term.size_checked().map(|(_, width)| usize::from(width));
        let width = if terminal { size().or_else(columns) } else { columns() };
        Self {
            width: width.unwrap_or(100).clamp(60, 160),
            style: Style { colours: terminal && !set("NO_COLOR") && !dumb },
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::plain()
    }
}
