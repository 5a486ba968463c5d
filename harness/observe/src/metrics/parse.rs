//! Prometheus' text format, read as it streams in, keeping only the families that are wanted.
//!
//! An API server tells megabytes and we want a few series of it: lines of other families cost a search for
//! their end and a comparison of their name. Nothing in here trusts the input: a line that is not understood
//! is counted, and limits bound what a hostile endpoint can make us keep.

use loopdrill_model::Signal;
use loopdrill_model::metrics::{Family, Kind};
use loopdrill_model::signal::{Histogram, Metric};
use std::collections::HashMap;

const LONGEST_LINE: usize = 64 << 10;
const MOST_BYTES: usize = 256 << 20;
const MOST_SERIES: usize = 20_000;
const MOST_BUCKETS: usize = 256;

/// Why what came is of no use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// It is something else, such as an HTML page.
    #[error("the answer is not in Prometheus' text format ({0} lines were not understood)")]
    NotMetrics(u64),
    /// A line without end.
    #[error("the answer has a line of more than {LONGEST_LINE} bytes")]
    Line,
    /// A body without end.
    #[error("the answer has more than {MOST_BYTES} bytes")]
    Size,
    /// Too many label values.
    #[error("the wanted families have more than {MOST_SERIES} series")]
    Series,
}

/// A number at a time, where the endpoint tells one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Value {
    number: f64,
    millis: Option<i64>,
}

#[derive(Debug)]
enum Series {
    Number { value: f64, millis: Option<i64> },
    Histogram { buckets: Vec<(f64, f64)>, sum: f64, count: f64 },
}

/// Which part of a family a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Number,
    Bucket,
    Sum,
    Count,
}

/// Reads one answer of a metrics endpoint.
pub struct Parser {
    families: Vec<&'static Family>,
    carry: Vec<u8>,
    series: HashMap<Vec<u8>, Series>,
    last: (Vec<u8>, Option<(usize, Part)>),
    scratch: Scratch,
    bytes: usize,
    understood: u64,
    not_understood: u64,
}

/// Buffers that one line after the other uses.
#[derive(Default)]
struct Scratch {
    key: Vec<u8>,
    kept: Vec<Vec<u8>>,
    label: Vec<u8>,
}

/// One series of the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric or histogram.
    pub signal: Signal,
    /// The endpoint's own time of the sample in milliseconds since the epoch.
    pub millis: Option<i64>,
}

impl Parser {
    /// A parser that keeps `families` only.
    #[must_use]
    pub fn new(families: Vec<&'static Family>) -> Self {
        Self {
            families,
            carry: Vec::new(),
            series: HashMap::new(),
            last: (Vec::new(), None),
            scratch: Scratch::default(),
            bytes: 0,
            understood: 0,
            not_understood: 0,
        }
    }

    /// Takes the next part of the answer.
    ///
    /// # Errors
    /// [`ParseError`] when a limit is exceeded.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), ParseError> {
        self.bytes += chunk.len();
        if self.bytes > MOST_BYTES {
            return Err(ParseError::Size);
        }
        let mut rest = chunk;
        if !self.carry.is_empty() {
            let Some(end) = memchr::memchr(b'\n', rest) else { return self.keep(rest) };
            self.keep(&rest[..end])?;
            let line = std::mem::take(&mut self.carry);
            self.line(&line)?;
            self.carry = line;
            self.carry.clear();
            rest = &rest[end + 1..];
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if end > LONGEST_LINE {
                return Err(ParseError::Line);
            }
            self.line(&rest[..end])?;
            rest = &rest[end + 1..];
        }
        self.keep(rest)
    }

    /// How much it was given so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), ParseError> {
        if self.carry.len() + part.len() > LONGEST_LINE {
            return Err(ParseError::Line);
        }
        self.carry.extend_from_slice(part);
        Ok(())
    }

    /// What was found, in a stable order.
    ///
    /// # Errors
    /// [`ParseError::NotMetrics`] when nothing of it was in the right format.
    pub fn finish(mut self) -> Result<Vec<Sample>, ParseError> {
        let last = std::mem::take(&mut self.carry);
        self.line(&last)?;
        if self.understood == 0 && self.not_understood > 0 {
            return Err(ParseError::NotMetrics(self.not_understood));
        }
        let mut all: Vec<_> = self.series.into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all.into_iter().filter_map(|(key, series)| sample(&self.families, &key, series)).collect())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ParseError> {
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'#' {
            return Ok(());
        }
        let end = memchr::memchr3(b'{', b' ', b'\t', line).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        if self.last.0 != name {
            self.last.0.clear();
            self.last.0.extend_from_slice(name);
            self.last.1 = find(&self.families, name);
        }
        let understood = match self.last.1 {
            None => is_name(name) && !rest.is_empty(),
            Some((family, part)) => self.sample(family, part, rest)?.is_some(),
        };
        if understood {
            self.understood += 1;
        } else {
            self.not_understood += 1;
        }
        Ok(())
    }

    /// Takes one sample of a wanted family; `None` when the line is malformed.
    fn sample(&mut self, index: usize, part: Part, rest: &[u8]) -> Result<Option<()>, ParseError> {
        let family = self.families[index];
        let Some(read) = read_labels(family, rest, &mut self.scratch) else { return Ok(None) };
        let Some(value) = read_value(read.rest) else { return Ok(None) };
        if read.skip {
            return Ok(Some(()));
        }
        let key = &mut self.scratch.key;
        key.clear();
        key.push(u8::try_from(index).unwrap_or(u8::MAX));
        for kept in &self.scratch.kept[..family.keep.len()] {
            key.extend_from_slice(kept);
            key.push(0xff);
        }
        if !self.series.contains_key(key.as_slice()) {
            if self.series.len() >= MOST_SERIES {
                return Err(ParseError::Series);
            }
            self.series.insert(key.clone(), Series::new(family.kind));
        }
        if let Some(series) = self.series.get_mut(key.as_slice()) {
            series.add(part, value, read.bound);
        }
        Ok(Some(()))
    }
}

impl Series {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number { value: 0.0, millis: None },
            Kind::Histogram => Self::Histogram { buckets: Vec::new(), sum: 0.0, count: 0.0 },
        }
    }

    /// Adds a sample: series that differ only in labels that are not kept become one.
    fn add(&mut self, part: Part, sample: Value, bound: Option<f64>) {
        match (self, part) {
            (Self::Number { value, millis }, _) => {
                *value += sample.number;
                *millis = sample.millis.or(*millis);
            }
            (Self::Histogram { sum, .. }, Part::Sum) => *sum += sample.number,
            (Self::Histogram { count, .. }, Part::Count) => *count += sample.number,
            (Self::Histogram { buckets, .. }, _) => {
                let Some(bound) = bound.filter(|b| b.is_finite()) else { return };
                match buckets.binary_search_by(|(b, _)| b.total_cmp(&bound)) {
                    Ok(at) => buckets[at].1 += sample.number,
                    Err(at) if buckets.len() < MOST_BUCKETS => buckets.insert(at, (bound, sample.number)),
                    Err(_) => {}
                }
            }
        }
    }
}

fn find(families: &[&Family], name: &[u8]) -> Option<(usize, Part)> {
    families.iter().enumerate().find_map(|(index, family)| {
        let rest = name.strip_prefix(family.name.as_bytes())?;
        let part = match (family.kind, rest) {
            (Kind::Number, b"") => Part::Number,
            (Kind::Histogram, b"_bucket") => Part::Bucket,
            (Kind::Histogram, b"_sum") => Part::Sum,
            (Kind::Histogram, b"_count") => Part::Count,
            _ => return None,
        };
        Some((index, part))
    })
}

fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, b'_' | b':'))
        && name.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b':'))
}

struct Labels<'a> {
    /// What follows the labels.
    rest: &'a [u8],
    /// The sample is not wanted.
    skip: bool,
    /// `le`.
    bound: Option<f64>,
}

/// Reads `{a="b",…}` where there is one; the values of kept labels go to `scratch.kept`.
fn read_labels<'a>(family: &Family, line: &'a [u8], scratch: &mut Scratch) -> Option<Labels<'a>> {
    scratch.kept.resize_with(family.keep.len().max(scratch.kept.len()), Vec::new);
    scratch.kept.iter_mut().for_each(Vec::clear);
    let mut labels = Labels { rest: line, skip: false, bound: None };
    if line.first() == Some(&b'{') {
        let mut rest = line[1..].trim_ascii_start();
        while rest.first() != Some(&b'}') {
            let equals = memchr::memchr(b'=', rest)?;
            let name = rest[..equals].trim_ascii();
            rest = quoted(rest[equals + 1..].trim_ascii_start(), &mut scratch.label)?.trim_ascii_start();
            rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
            let is = |(label, _): &&(&str, &str)| label.as_bytes() == name;
            labels.skip |= family.skip.iter().filter(is).any(|(_, v)| v.as_bytes() == scratch.label);
            if let Some(at) = family.keep.iter().position(|k| k.as_bytes() == name) {
                scratch.kept[at].extend_from_slice(&scratch.label);
            }
            if name == b"le" {
                labels.bound = std::str::from_utf8(&scratch.label).ok().and_then(|b| b.parse().ok());
            }
        }
        labels.rest = &rest[1..];
    }
    Some(labels)
}

/// Reads a quoted label value into `value`, and returns what follows it.
fn quoted<'a>(text: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    value.clear();
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest)?;
        value.extend_from_slice(&rest[..at]);
        if rest[at] == b'"' {
            return Some(&rest[at + 1..]);
        }
        value.push(match rest.get(at + 1)? {
            b'n' => b'\n',
            other => *other,
        });
        rest = &rest[at + 2..];
    }
}

fn read_value(rest: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(rest).ok()?;
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    // An exemplar of OpenMetrics begins with '#'; a timestamp is a whole number.
    let millis = match words.next() {
        Some(word) if !word.starts_with('#') => Some(word.parse().ok()?),
        _ => None,
    };
    Some(Value { number, millis })
}

/// A count as a whole number; what is negative or no number becomes 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as wanted")]
fn whole(count: f64) -> u64 {
    count as u64
}

fn sample(families: &[&Family], key: &[u8], series: Series) -> Option<Sample> {
    let (index, values) = key.split_first()?;
    let family = families.get(usize::from(*index))?;
    let values = values.split(|b| *b == 0xff).map(|v| String::from_utf8_lossy(v).into_owned());
    let labels =
        family.keep.iter().map(|k| (*k).to_owned()).zip(values).filter(|(_, v)| !v.is_empty()).collect();
    let name = family.name.to_owned();
    Some(match series {
        Series::Number { value, .. } if !value.is_finite() => return None,
        Series::Number { value, millis } => {
            Sample { signal: Signal::Metric(Metric { name, labels, value }), millis }
        }
        Series::Histogram { buckets, sum, count } => {
            let buckets = buckets.into_iter().map(|(bound, n)| (bound, whole(n))).collect();
            let sum = if sum.is_finite() { sum } else { 0.0 };
            let histogram = Histogram { name, labels, buckets, sum, count: whole(count) };
            Sample { signal: Signal::Histogram(histogram), millis: None }
        }
    })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
