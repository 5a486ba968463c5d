//! The words of a message without what somebody named: images, hosts, ids, volumes, paths, commands.

/// Before a quotation that is speech, and not a name.
const SPEECH: &[&str] = &[
    "message",
    "msg",
    "desc",
    "description",
    "error_description",
    "details",
    "error",
    "err",
    "code",
    "reason",
];

/// Words with a slash or a dot that are no names.
const KEPT: &[&str] = &[
    "i/o",
    "client.timeout",
    "input/output",
    "username/password",
    "user/password",
    "mount.nfs",
    "affinity/anti-affinity",
];

/// Kinds that messages name together with their group.
const KINDS: &[&str] = &[
    "storageclass",
    "secretproviderclass",
    "csidriver",
    "csinode",
    "runtimeclass",
    "priorityclass",
    "resourceclaim",
    "deviceclass",
];

/// `message` in lower case, with single spaces, without quotations (but for quoted speech), without words that look
/// like an image, a path or a host, and without any of `names`.
pub(crate) fn nameless(message: &str, names: &[&str]) -> String {
    let message = levelled(message).replace("\\n", " ").to_lowercase();
    let mut bare = unquoted(&message);
    for name in names.iter().filter(|n| n.len() > 1) {
        bare = without(&bare, &name.to_lowercase());
    }
    let mut words: Vec<&str> = Vec::new();
    let mut named = false;
    for word in bare.split_whitespace() {
        if !named && let Some(word) = meaning(word) {
            words.push(word);
        }
        named = word == "lookup";
    }
    words.join(" ")
}

/// The word where it is none that somebody chose.
fn meaning(word: &str) -> Option<&str> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if KEPT.iter().any(|k| bare.starts_with(k)) {
        return Some(word);
    }
    if let Some(kind) =
        KINDS.iter().find(|k| bare.strip_prefix(**k).is_some_and(|rest| rest.starts_with('.')))
    {
        return Some(kind);
    }
    (!word.contains('/') && !word.contains('@') && !is_dotted(bare)).then_some(word)
}

/// A dot between two letters or digits: a host, a file, an address, a version.
fn is_dotted(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.windows(3).any(|w| w[1] == b'.' && w[0].is_ascii_alphanumeric() && w[2].is_ascii_alphanumeric())
}

/// Stand for quotes that were escaped once, and more often: each kind is closed by its own.
const ESCAPED: [char; 2] = ['\u{1}', '\u{2}'];

/// The message with escaped quotes told apart by how often they are: whoever quotes an error that quotes something
/// escapes its quotes, and one that he closes is not closed by a quote inside it.
fn levelled(message: &str) -> String {
    let mut plain = String::with_capacity(message.len());
    let mut slashes = 0_usize;
    for c in message.chars() {
        match c {
            '\\' => slashes += 1,
            '"' => {
                plain.push(match slashes {
                    0 => '"',
                    1 => ESCAPED[0],
                    _ => ESCAPED[1],
                });
                slashes = 0;
            }
            c => {
                plain.extend(std::iter::repeat_n('\\', slashes));
                plain.push(c);
                slashes = 0;
            }
        }
    }
    plain.extend(std::iter::repeat_n('\\', slashes));
    plain
}

/// Cuts quotations out, in any kind of quotes, but for what is speech. Quotes may stand in quotes.
fn unquoted(message: &str) -> String {
    let mut bare = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(['"', '`', '\'', '“', '‘', ESCAPED[0], ESCAPED[1]]) {
        let (before, quoted) = rest.split_at(at);
        bare.push_str(before);
        let open = quoted.chars().next().unwrap_or('"');
        let close = match open {
            '“' => '”',
            '‘' => '’',
            open => open,
        };
        let inner = &quoted[open.len_utf8()..];
        // An apostrophe is no quote.
        let opens = open != '\'' || !bare.ends_with(|c: char| c.is_alphanumeric());
        let end = if opens { inner.find(close) } else { None };
        let Some(end) = end else {
            bare.push(if open == '\'' { '\'' } else { ' ' });
            rest = inner;
            continue;
        };
        bare.push(' ');
        let content = &inner[..end];
        let passed_on = || is_double(open) && (is_answer(content) || passes_on(&bare, content));
        if is_speech(&bare) || SPEECH.contains(&content) || passed_on() {
            let said = unquoted(content);
            bare.push_str(&said);
        }
        bare.push(' ');
        rest = &inner[end + close.len_utf8()..];
    }
    bare.push_str(rest);
    bare
}

/// Whether what comes next in quotes is what somebody said: after `Message=`, `desc =`, `"error":`.
fn is_speech(before: &str) -> bool {
    let said = before.trim_end();
    let Some(word) = said.strip_suffix(['=', ':']) else { return false };
    let word = word.trim_end();
    SPEECH
        .iter()
        .any(|s| word.ends_with(s) && !word[..word.len() - s.len()].ends_with(|c: char| c.is_alphanumeric()))
}

fn is_double(quote: char) -> bool {
    quote == '"' || ESCAPED.contains(&quote)
}

/// Whether what comes next in quotes is an error that somebody passes on under a name of his own: `KillPodSandboxError:
/// "…"`, or `caused "…"`. No name has a space.
fn passes_on(before: &str, content: &str) -> bool {
    let said = before.trim_end();
    let named = said.strip_suffix(':').is_some_and(|word| word.ends_with("error"));
    (named || said.ends_with(" caused")) && content.contains(": ")
}

/// Whether what stands in double quotes is a whole error, as a cloud's library writes it and others quote it: a code of
/// letters alone, a colon, and words. No name has a space.
fn is_answer(content: &str) -> bool {
    let Some((code, words)) = content.split_once(": ") else { return false };
    code.len() >= 6 && code.bytes().all(|b| b.is_ascii_alphabetic()) && words.contains(' ')
}

/// Without `name` where it stands as a whole word.
fn without(text: &str, name: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        bare.push_str(before);
        let whole = !bare.ends_with(is_part) && !after.starts_with(|c| is_part(c) && c != '.');
        bare.push_str(if whole { " " } else { name });
        rest = after;
    }
    bare.push_str(rest);
    bare
}
