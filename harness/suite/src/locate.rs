//! Where in a YAML text a value stands. The reader tells positions only with errors, so it is made to fail there.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A step from a value into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To the value of this key.
    Key(&'static str),
    /// To this element.
    Index(usize),
}

/// Line and column, from 1, of the value at `path`; of what comes nearest where it is left out.
pub(crate) fn position(text: &str, path: &[Step]) -> (usize, usize) {
    (0..=path.len())
        .rev()
        .find_map(|length| {
            let error = To(&path[..length]).deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
            error.to_string().contains(HERE).then(|| error.location()).flatten()
        })
        .map_or((1, 1), |at| (at.line(), at.column()))
}

const HERE: &str = "the value is here";

struct To<'a>(&'a [Step]);

impl<'de> DeserializeSeed<'de> for To<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            [] => deserializer.deserialize_any(Here),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for To<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value on the way")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.0 {
                [Step::Key(wanted), rest @ ..] if *wanted == key => map.next_value_seed(To(rest))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let [Step::Index(wanted), rest @ ..] = self.0 else { return Ok(()) };
        for _ in 0..*wanted {
            items.next_element::<IgnoredAny>()?;
        }
        items.next_element_seed(To(rest)).map(|_| ())
    }
}

/// Fails at whatever value it meets.
struct Here;

macro_rules! fail {
    ($($visit:ident: $value:ty),*) => {
        $(fn $visit<E: Error>(self, _: $value) -> Result<(), E> {
            Err(E::custom(HERE))
        })*
    };
}

impl<'de> Visitor<'de> for Here {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fail!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom(HERE))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(HERE))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(HERE))
    }
}

#[cfg(test)]
mod tests {
    use super::{Step::*, *};

    #[test]
    fn a_value_is_found_by_its_path() {
        let text = "name: x\ndrills:\n  - fault: a\n  - variant: b\n    fault: 7\n";
        assert_eq!(position(text, &[Key("name")]), (1, 7));
        assert_eq!(position(text, &[Key("drills"), Index(1), Key("fault")]), (5, 12));
        assert_eq!(position(text, &[Key("drills"), Index(0)]).0, 3);
    }

    #[test]
    fn what_is_left_out_is_looked_for_in_what_holds_it() {
        let text = "name: x\ndrills:\n  - fault: a\n";
        assert_eq!(position(text, &[Key("drills"), Index(0), Key("variant")]).0, 3);
        assert_eq!(position(text, &[Key("budgets"), Key("bite")]), (1, 1));
    }
}
