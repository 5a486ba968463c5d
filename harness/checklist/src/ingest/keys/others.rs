//! Keys that are written in one form alone.

use super::is_placeholder;

/// How the key of the storage emulator starts, which is everybody's.
const EMULATOR: &str = "Eby8vdM02xNO";

/// A connection string with its key: 64 bytes for a storage account, 32 for a bus.
pub(super) fn has_account_key(text: &str) -> bool {
    let of_key = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let given = |name: &str, length: usize| {
        text.match_indices(name).any(|(at, _)| {
            let key = &text[at + name.len()..];
            let long = key.bytes().take_while(|b| of_key(b)).count() == length;
            long && key[length..].starts_with('=')
                && !key.starts_with(EMULATOR)
                && !is_placeholder(&key[..length])
        })
    };
    given("AccountKey=", 86) || given("SharedAccessKey=", 43)
}

/// The credentials that `gcloud auth application-default login` leaves.
pub(super) fn has_refresh_token(text: &str) -> bool {
    text.contains("authorized_user") && text.contains("refresh_token") && text.contains("1//")
}

/// `LTAI` and 12 or 20 more, on their own.
pub(super) fn has_alibaba_key(text: &str) -> bool {
    on_their_own(text, "LTAI", u8::is_ascii_alphanumeric)
        .any(|rest| matches!(rest.len(), 12 | 20) && !is_placeholder(rest))
}

/// `dop_v1_` and 64 hexadecimal digits.
pub(super) fn has_digital_ocean_token(text: &str) -> bool {
    on_their_own(text, "dop_v1_", u8::is_ascii_hexdigit).any(|rest| rest.len() == 64 && !is_placeholder(rest))
}

/// What follows a mark that begins a word.
fn on_their_own<'a>(text: &'a str, mark: &'a str, of_key: fn(&u8) -> bool) -> impl Iterator<Item = &'a str> {
    text.match_indices(mark).filter_map(move |(at, _)| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        let rest = &text[at + mark.len()..];
        let length = rest.bytes().take_while(of_key).count();
        let ends = rest.as_bytes().get(length).is_none_or(|b| !b.is_ascii_alphanumeric());
        (before.is_none_or(|b| !b.is_ascii_alphanumeric()) && ends).then(|| &rest[..length])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Assembled here, so that no scanner takes this file for a leak. All are made up.
    #[test]
    fn each_is_told_by_its_form() {
        let key = "Ab1/".repeat(22);
        assert!(has_account_key(&format!("AccountName=a;AccountKey={}==;x", &key[..86])));
        assert!(has_account_key(&format!("SharedAccessKey={}=", &key[..43])));
        assert!(!has_account_key(&format!("AccountKey={}{}==", EMULATOR, &key[..74])));
        assert!(!has_account_key("AccountKey=${KEY};x") && !has_account_key("AccountKey="));
        assert!(has_alibaba_key(&["LTAI", "5tMad3Up7L00pdri11Xy"].concat()));
        assert!(!has_alibaba_key("LTAI") && !has_alibaba_key("XLTAI5tMad3Up7L00pdri11Xy"));
        let token = ["dop_v1_", &"0a1b2c3d".repeat(8)].concat();
        assert!(has_digital_ocean_token(&token) && !has_digital_ocean_token(&token[..70]));
        let user = r#"{"type": "authorized_user", "refresh_token": "1//made-up"}"#;
        assert!(has_refresh_token(user) && !has_refresh_token(r#"{"type": "authorized_user"}"#));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(AccountKey=|LTAI|dop_v1_|\\PC){0,24}") {
            let _ = (has_account_key(&text), has_alibaba_key(&text), has_digital_ocean_token(&text));
        }
    }
}
