//! How things are said to people: durations, foreign text, line breaks.

use console::measure_text_width;
use jiff::SignedDuration;

/// A duration as people say it: `340 ms`, `1.2 s`, `2 min 05 s`, `1 h 02 min`.
#[must_use]
pub fn duration(d: SignedDuration) -> String {
    let sign = if d.is_negative() { "−" } else { "" };
    // Saturates: i128 milliseconds to u64 cannot fail for any duration between two timestamps.
    let ms = u64::try_from(d.as_millis().unsigned_abs()).unwrap_or(u64::MAX);
    match ms {
        0..1_000 => format!("{sign}{ms} ms"),
        // 59.96 s must not become "60.0 s".
        1_000..59_950 => format!("{sign}{}.{} s", (ms + 50) / 1_000, (ms + 50) % 1_000 / 100),
        59_950..3_599_500 => {
            let s = (ms + 500) / 1_000;
            format!("{sign}{} min {:02} s", s / 60, s % 60)
        }
        _ => {
            let min = (ms + 30_000) / 60_000;
            format!("{sign}{} h {:02} min", min / 60, min % 60)
        }
    }
}

/// So many seconds as people say them; none where that is no duration.
pub(crate) fn seconds(s: f64) -> String {
    SignedDuration::try_from_secs_f64(s).map_or("–".into(), duration)
}

/// A share as people say it: `97 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Text from a cluster on one line and without control characters: an event's message must not be able to
/// move the cursor.
pub(crate) fn clean(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// `text` on one line of at most `width` columns, its end cut off where it is longer.
pub(crate) fn cut(text: &str, width: usize) -> String {
    console::truncate_str(&clean(text), width, "…").into_owned()
}

/// `text` in lines that fit the screen.
#[must_use]
pub fn paragraph(text: &str, screen: crate::Screen) -> String {
    wrap(text, screen.width).join("\n") + "\n"
}

/// `text` in lines of at most `width` columns, broken between words, and within a word that is longer.
///
/// Lines are measured whole: a letter may be as wide as what follows makes it.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(10);
    let mut lines = vec![String::new()];
    for word in clean(text).split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if measure_text_width(&longer) <= width {
            *line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        break_word(word, width, &mut lines);
    }
    lines
}

/// Puts a word into the last line, which is empty, and into as many more as it takes.
fn break_word(word: &str, width: usize, lines: &mut Vec<String>) {
    for c in word.chars() {
        let line = lines.last_mut().expect("there is always a line");
        line.push(c);
        if measure_text_width(line) > width {
            line.pop();
            lines.push(c.to_string());
        }
    }
}

/// Pads `text`, which may hold colours, to `width` columns.
pub(crate) fn pad(text: &str, width: usize, right: bool) -> String {
    let gap = " ".repeat(width.saturating_sub(measure_text_width(text)));
    if right { format!("{gap}{text}") } else { format!("{text}{gap}") }
}

/// `1 drill`, `2 drills`.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_well() {
        let said: Vec<_> =
            [0, 7, 999, 1_000, 1_249, 59_949, 59_950, 125_000, 3_599_499, 3_599_500, 7_260_000, -1_500]
                .map(|ms| duration(SignedDuration::from_millis(ms)))
                .into();
        assert_eq!(
            said,
            [
                "0 ms",
                "7 ms",
                "999 ms",
                "1.0 s",
                "1.2 s",
                "59.9 s",
                "1 min 00 s",
                "2 min 05 s",
                "59 min 59 s",
                "1 h 00 min",
                "2 h 01 min",
                "−1.5 s"
            ]
        );
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(clean("a\n\tb\u{1b}[2Jc\r\u{7}"), "a b [2Jc");
        assert_eq!(cut("to be or not", 8), "to be o…");
    }

    #[test]
    fn letters_that_become_wide_by_what_follows_them_fit_too() {
        let keycaps = "0\u{fe0f}".repeat(30);
        let lines = wrap(&keycaps, 10);
        assert!(lines.iter().all(|l| measure_text_width(l) <= 10), "{lines:?}");
        assert_eq!(lines.concat(), keycaps);
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_letter_and_the_width(text in "\\PC{0,200}", width in 10usize..60) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|l| measure_text_width(l) <= width), "{lines:?}");
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&clean(&text)));
        }
    }
}
