//! Quantities: the API reference's grammar, and its examples.

use loopdrill_kubernetes::quantity::{Quantity, bytes, cpu, millis, units};
use proptest::prelude::*;

/// Text, whole units and thousandths.
const EXAMPLES: [(&str, u64, u64); 24] = [
    // "Resource Management for Pods and Containers": 0.1 is 100m; these are roughly the same value.
    ("0.1", 1, 100),
    ("100m", 1, 100),
    ("0.5", 1, 500),
    ("250m", 1, 250),
    ("128974848", 128_974_848, 128_974_848_000),
    ("129e6", 129_000_000, 129_000_000_000),
    ("129M", 129_000_000, 129_000_000_000),
    ("128974848000m", 128_974_848, 128_974_848_000),
    ("123Mi", 128_974_848, 128_974_848_000),
    // "400m" of memory is 0.4 bytes and not mebibytes.
    ("400m", 1, 400),
    // "Quantity": 1.5 is 1500m, 1.5Gi is 1536Mi; finer than a thousandth is rounded up.
    ("1.5", 2, 1500),
    ("1500m", 2, 1500),
    ("1.5Gi", 1536 << 20, 1000 * (1536 << 20)),
    ("0.1m", 1, 1),
    ("+5", 5, 5000),
    ("5.", 5, 5000),
    (".5", 1, 500),
    ("1k", 1000, 1_000_000),
    ("1Ki", 1024, 1_024_000),
    ("1E", 1_000_000_000_000_000_000, u64::MAX),
    ("1e3", 1000, 1_000_000),
    ("1E-3", 1, 1),
    ("12E+2", 1200, 1_200_000),
    ("0", 0, 0),
];

#[test]
fn the_documentations_examples() {
    for (text, whole, thousandths) in EXAMPLES {
        assert_eq!((units(text), millis(text)), (Some(whole), Some(thousandths)), "{text}");
    }
}

#[test]
fn what_the_grammar_does_not_know_is_no_quantity() {
    for text in [
        "", " ", "-", "+", ".", "1 Gi", " 1", "1Gi ", "abc", "1e", "1e1.5", "1..2", "1.2.3", "Gi", "1Kib",
        "1K", "1ki", "0x10", "١",
    ] {
        assert_eq!(text.parse::<Quantity>().ok(), None, "{text}");
    }
}

#[test]
fn what_is_too_fine_is_rounded_up_and_what_is_too_large_is_capped() {
    let nanos = |text: &str| text.parse::<Quantity>().expect(text).nanos();
    assert_eq!((nanos("1n"), nanos("0.5n"), nanos("-0.5n"), nanos("1e-30")), (1, 1, -1, 1));
    assert_eq!(nanos("1.0000000001"), 1_000_000_001);
    assert_eq!(nanos("0.0000000000"), 0);
    assert_eq!(units("9223372036854775807"), Some(i64::MAX as u64));
    for text in ["9223372036854775808", "8Ei", "999999999999E", "1e99", "1e2147483647"] {
        assert_eq!(units(text), Some(i64::MAX as u64), "{text}");
    }
    assert_eq!((units("0e2147483647"), nanos("1e-2147483648")), (Some(0), 1));
    assert_eq!((units("-1"), millis("-1m"), nanos("-1")), (None, None, -1_000_000_000));
}

#[test]
fn amounts_for_people() {
    assert_eq!((cpu(1900).as_str(), cpu(2000).as_str(), cpu(0).as_str()), ("1900m", "2", "0"));
    assert_eq!((bytes(0).as_str(), bytes(2048).as_str(), bytes(512 << 20).as_str()), ("0", "2Ki", "512Mi"));
    assert_eq!(bytes(12 << 30), "12Gi");
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC*", near in "[+-]?[0-9]{0,40}[.]?[0-9]{0,40}([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,10})?") {
        let _ = (millis(&text), units(&text), millis(&near), units(&near));
    }

    #[test]
    fn whole_numbers_stay(n in 0_u64..i64::MAX as u64 / 1000) {
        prop_assert_eq!(units(&n.to_string()), Some(n));
        prop_assert_eq!(millis(&n.to_string()), Some(n * 1000));
        prop_assert_eq!(millis(&format!("{n}m")), Some(n));
    }

    #[test]
    fn notations_of_one_amount_are_equal(whole in 0_u64..1_000_000, digits in 0_u64..1000, zeros in 0_usize..30) {
        let read = |text: String| text.parse::<Quantity>().expect("a quantity");
        let plain = read(format!("{whole}.{digits:03}"));
        for other in [
            format!("{}m", whole * 1000 + digits),
            format!("{}e-3", whole * 1000 + digits),
            format!("{whole}{digits:03}000u"),
            format!("{}{whole}.{digits:03}{}", "0".repeat(zeros), "0".repeat(zeros)),
            format!("0.{whole:06}{digits:03}M"),
        ] {
            prop_assert_eq!(read(other.clone()), plain, "{}", other);
        }
    }

    #[test]
    fn rounding_never_loses_and_never_adds_a_whole_unit(nanos in 0_u64..u64::MAX / 2) {
        let text = format!("{nanos}n");
        let whole = units(&text).expect("not negative");
        prop_assert!(u128::from(whole) * 1_000_000_000 >= u128::from(nanos));
        prop_assert!(whole == 0 || (u128::from(whole) - 1) * 1_000_000_000 < u128::from(nanos));
    }
}
