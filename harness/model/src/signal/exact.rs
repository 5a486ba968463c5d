//! Floating-point numbers that come back from JSON bit by bit, `NaN` and infinities included: a recording must
//! replay to the same document. JSON parsers may be off by the last bit, so what is no whole number is text.

use serde::{Deserialize, Deserializer, Serializer, de};

/// Whole numbers up to this are numbers in JSON, and exact.
const WHOLE: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl Written {
    fn read<E: de::Error>(self) -> Result<f64, E> {
        match self {
            Written::Number(number) => Ok(number),
            Written::Text(text) => text.parse().map_err(|_| E::custom(format!("{text:?} is no number"))),
        }
    }
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < WHOLE && !(value == 0.0 && value.is_sign_negative())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    if is_whole(*value) { to.serialize_f64(*value) } else { to.collect_str(value) }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Written::deserialize(from)?.read()
}

/// The bounds of a histogram's buckets.
pub(super) mod bounds {
    use super::Written;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    struct Bound(f64);

    impl Serialize for Bound {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            super::serialize(&self.0, to)
        }
    }

    pub(in crate::signal) fn serialize<S: Serializer>(
        buckets: &[(f64, u64)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(buckets.iter().map(|(bound, count)| (Bound(*bound), count)))
    }

    pub(in crate::signal) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(f64, u64)>, D::Error> {
        let written = Vec::<(Written, u64)>::deserialize(from)?;
        written.into_iter().map(|(bound, count)| Ok((bound.read()?, count))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::signal::{Histogram, Metric};

    fn metric(value: f64) -> Metric {
        Metric { name: "m".into(), labels: Default::default(), value }
    }

    #[test]
    fn every_bit_comes_back() {
        let odd = [0.1 + 0.2, 1e-310, f64::MAX, -0.0, 1e300, 0.001_953_1, f64::INFINITY, f64::NEG_INFINITY];
        for value in odd.into_iter().chain([0.0, 7.0, -3.0, 9_007_199_254_740_993.0]) {
            let text = serde_json::to_string(&metric(value)).expect("plain data");
            let back: Metric = serde_json::from_str(&text).expect("plain data");
            assert_eq!(back.value.to_bits(), value.to_bits(), "{text}");
        }
        let text = serde_json::to_string(&metric(f64::NAN)).expect("plain data");
        assert!(serde_json::from_str::<Metric>(&text).expect("plain data").value.is_nan());
    }

    #[test]
    fn numbers_are_read_as_they_were_written_before() {
        let old = r#"{"name":"h","labels":{},"buckets":[[0.001,1],[1.0,2]],"sum":0.5,"count":2}"#;
        let histogram: Histogram = serde_json::from_str(old).expect("the first format");
        assert_eq!((histogram.buckets, histogram.sum), (vec![(0.001, 1), (1.0, 2)], 0.5));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let bad = r#"{"name":"m","labels":{},"value":"soon"}"#;
        assert!(serde_json::from_str::<Metric>(bad).expect_err("no number").to_string().contains("soon"));
    }
}
