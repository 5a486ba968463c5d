//! Pages for `man`, from the same declarations as `--help`.

use clap::{Arg, Command};
use std::fmt::Write as _;

/// A page for the command and one for each below it, as name and roff.
pub(crate) fn pages(mut root: Command) -> Vec<(String, String)> {
    root.build();
    let mut all = Vec::new();
    collect(root.get_name(), &root, &mut all);
    all
}

fn collect(name: &str, command: &Command, all: &mut Vec<(String, String)>) {
    all.push((name.to_owned(), page(name, command)));
    for (name, below) in below(name, command) {
        collect(&name, below, all);
    }
}

/// The commands below one, by the names of their pages.
fn below<'a>(name: &str, command: &'a Command) -> impl Iterator<Item = (String, &'a Command)> {
    let shown = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    shown.map(move |c| (format!("{name}-{}", c.get_name()), c)).collect::<Vec<_>>().into_iter()
}

fn page(name: &str, command: &Command) -> String {
    let (title, version) = (escaped(&name.to_uppercase()), env!("CARGO_PKG_VERSION"));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(".TH \"{title}\" 1 \"\" \"loopdrill {version}\" \"loopdrill\"\n");
    section(&mut text, "NAME", &format!("{} \\- {}", escaped(name), escaped(&about)));
    let usage = command.clone().render_usage().to_string();
    section(&mut text, "SYNOPSIS", &escaped(usage.trim_start_matches("Usage:").trim()));
    if let Some(long) = command.get_long_about() {
        section(&mut text, "DESCRIPTION", &escaped(&long.to_string()));
    }
    let commands = below(name, command).map(|(page, c)| {
        let about = c.get_about().map(ToString::to_string).unwrap_or_default();
        item(c.get_name(), &format!("{about}; see {page}(1)"))
    });
    section(&mut text, "COMMANDS", &commands.collect::<String>());
    let shown = |a: &&Arg| !a.is_hide_set();
    section(
        &mut text,
        "ARGUMENTS",
        &command.get_positionals().filter(shown).map(argument).collect::<String>(),
    );
    let options = command.get_arguments().filter(|a| !a.is_positional());
    section(&mut text, "OPTIONS", &options.filter(shown).map(argument).collect::<String>());
    if let Some(more) = command.get_after_help() {
        // Aligned by hand, so it stays as it is.
        section(&mut text, "NOTES", &format!(".nf\n{}\n.fi", escaped(&more.to_string())));
    }
    text
}

/// A section, unless there is nothing to be said.
fn section(text: &mut String, title: &str, content: &str) {
    if !content.is_empty() {
        // A text in memory takes whatever it is given.
        let _ = writeln!(text, ".SH {title}\n{}", content.trim_end());
    }
}

fn item(term: &str, told: &str) -> String {
    format!(".TP\n\\fB{}\\fR\n{}\n", escaped(term), escaped(told))
}

/// An argument or option with its values, its default and the variable that sets it.
fn argument(arg: &Arg) -> String {
    let short = arg.get_short().filter(|_| arg.get_long().is_some()).map(|s| format!("-{s}, "));
    let term = format!("{}{arg}", short.unwrap_or_default());
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut told = vec![help];
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        let named = values.iter().filter(|v| !v.is_hide_set()).map(|v| match v.get_help() {
            Some(help) => format!("{} ({help})", v.get_name()),
            None => v.get_name().to_owned(),
        });
        let named: Vec<_> = named.collect();
        let default: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        told.extend((!named.is_empty()).then(|| format!("One of: {}.", named.join(", "))));
        told.extend((!default.is_empty()).then(|| format!("By default {}.", default.join(", "))));
    }
    told.extend(arg.get_env().map(|name| format!("Also by ${}.", name.to_string_lossy())));
    let told: Vec<_> = told.iter().map(|part| sentence(part)).collect();
    item(&term, told.join(" ").trim())
}

/// Help ends without a stop where it stands alone.
fn sentence(text: &str) -> String {
    let ends = text.is_empty() || text.ends_with(['.', '?', '!']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

/// Text that roff prints as it is.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = escaped.lines().map(|line| match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::collections::BTreeMap;

    #[test]
    fn every_command_has_a_page_and_every_option_stands_on_it() {
        let pages: BTreeMap<_, _> = pages(crate::Cli::command()).into_iter().collect();
        let mut root = crate::Cli::command();
        root.build();
        let mut left = vec![("loopdrill".to_owned(), &root)];
        let mut seen = 0;
        while let Some((name, command)) = left.pop() {
            let page = &pages[&name];
            for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
                let term = escaped(&arg.get_long().map_or(arg.to_string(), |long| format!("--{long}")));
                assert!(page.contains(&term), "{name}: {term}");
            }
            seen += 1;
            left.extend(below(&name, command));
        }
        assert!(seen > 20 && seen == pages.len(), "{seen} commands, {} pages", pages.len());
    }

    #[test]
    fn nothing_of_a_text_is_taken_for_a_request_of_roff() {
        assert_eq!(escaped("a -b \\ c\n.d\n'e"), "a \\-b \\e c\n\\&.d\n\\&'e");
        for (name, page) in pages(crate::Cli::command()) {
            let requests = page.lines().filter(|line| line.starts_with(['.', '\'']));
            let strange: Vec<_> = requests
                .filter(|line| ![".TH ", ".SH ", ".TP", ".nf", ".fi"].iter().any(|r| line.starts_with(r)))
                .collect();
            assert!(strange.is_empty(), "{name}: {strange:?}");
        }
    }

    #[test]
    fn a_page_tells_values_and_defaults() {
        let page = pages(crate::Cli::command()).into_iter().find(|(name, _)| name == "loopdrill-rules");
        let page = page.expect("a page").1;
        assert!(
            page.contains("\\fB\\-\\-format <FORMAT>\\fR\nWhich form. One of: rules (A rule file"),
            "{page}"
        );
        assert!(page.contains("By default 60."), "{page}");
    }
}
