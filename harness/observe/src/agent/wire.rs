//! The datagram of a probe: magic, kind, sequence number, padding.

/// Length of what every datagram begins with.
pub(super) const HEADER: usize = 16;

const MAGIC: [u8; 8] = *b"loopdril";

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Question,
    Answer,
}

/// Writes the header of a datagram of `bytes`, at least [`HEADER`].
pub(super) fn write(datagram: &mut Vec<u8>, kind: Kind, sequence: u32, bytes: usize) {
    datagram.clear();
    datagram.extend_from_slice(&MAGIC);
    datagram.extend_from_slice(&(kind as u32).to_be_bytes());
    datagram.extend_from_slice(&sequence.to_be_bytes());
    datagram.resize(bytes.max(HEADER), 0);
}

/// Reads the header; `None` when it is none of ours.
pub(super) fn read(datagram: &[u8]) -> Option<(Kind, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(datagram.get(at..at + 4)?.try_into().ok()?));
    if datagram.get(..8)? != MAGIC {
        return None;
    }
    let kind = match number(8)? {
        0 => Kind::Question,
        1 => Kind::Answer,
        _ => return None,
    };
    Some((kind, number(12)?))
}

/// Makes an answer of a question, of the same size. Answers are never answered, so nothing can go round.
pub(super) fn answer(datagram: &mut [u8]) -> bool {
    if !matches!(read(datagram), Some((Kind::Question, _))) {
        return false;
    }
    datagram[8..12].copy_from_slice(&(Kind::Answer as u32).to_be_bytes());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_once_and_keeps_its_size() {
        let mut datagram = Vec::new();
        write(&mut datagram, Kind::Question, 7, 1422);
        assert_eq!(read(&datagram), Some((Kind::Question, 7)));
        assert!(answer(&mut datagram));
        assert_eq!((read(&datagram), datagram.len()), (Some((Kind::Answer, 7)), 1422));
        assert!(!answer(&mut datagram), "an answer must not be answered");
    }

    #[test]
    fn what_is_not_ours_is_none() {
        for bytes in [&b""[..], b"loopdril", b"loopdril\0\0\0\x02\0\0\0\0", b"somethingelse...."] {
            assert_eq!(read(bytes), None);
        }
    }
}
