//! The datagram of a probe: magic, kind, sequence number, and padding or an MTU.

/// Length of what every datagram begins with.
const HEADER: usize = 16;

const MAGIC: [u8; 8] = *b"loopdril";

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Question,
    Answer,
    /// In place of an answer that the network refused as too big: the MTU follows the header.
    TooBig,
}

/// What a datagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) kind: Kind,
    pub(super) sequence: u32,
    /// Of [`Kind::TooBig`].
    pub(super) mtu: u32,
}

/// Writes the header of a datagram of `bytes`, at least [`HEADER`].
pub(super) fn write(datagram: &mut Vec<u8>, kind: Kind, sequence: u32, bytes: usize) {
    datagram.clear();
    datagram.extend_from_slice(&MAGIC);
    datagram.extend_from_slice(&(kind as u32).to_be_bytes());
    datagram.extend_from_slice(&sequence.to_be_bytes());
    datagram.resize(bytes.max(HEADER), 0);
}

/// Writes the news that the answer to question `sequence` was too big for the network.
pub(super) fn write_too_big(datagram: &mut Vec<u8>, sequence: u32, mtu: u32) {
    write(datagram, Kind::TooBig, sequence, HEADER);
    datagram.extend_from_slice(&mtu.to_be_bytes());
}

/// Reads a datagram; `None` when it is none of ours.
pub(super) fn read(datagram: &[u8]) -> Option<Datagram> {
    let number = |at: usize| Some(u32::from_be_bytes(datagram.get(at..at + 4)?.try_into().ok()?));
    if datagram.get(..8)? != MAGIC {
        return None;
    }
    let kind = match number(8)? {
        0 => Kind::Question,
        1 => Kind::Answer,
        2 => Kind::TooBig,
        _ => return None,
    };
    let mtu = if kind == Kind::TooBig { number(HEADER)? } else { 0 };
    Some(Datagram { kind, sequence: number(12)?, mtu })
}

/// Makes an answer of a question, of the same size. Answers are never answered, so nothing can go round.
pub(super) fn answer(datagram: &mut [u8]) -> bool {
    if read(datagram).is_none_or(|d| d.kind != Kind::Question) {
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
        assert_eq!(read(&datagram), Some(Datagram { kind: Kind::Question, sequence: 7, mtu: 0 }));
        assert!(answer(&mut datagram));
        assert_eq!(read(&datagram), Some(Datagram { kind: Kind::Answer, sequence: 7, mtu: 0 }));
        assert_eq!(datagram.len(), 1422);
        assert!(!answer(&mut datagram), "an answer must not be answered");
        write_too_big(&mut datagram, 8, 1250);
        assert_eq!(read(&datagram), Some(Datagram { kind: Kind::TooBig, sequence: 8, mtu: 1250 }));
        assert!(!answer(&mut datagram), "nor must news");
    }

    #[test]
    fn what_is_not_ours_is_none() {
        for bytes in [
            &b""[..],
            b"loopdril",
            b"loopdril\0\0\0\x03\0\0\0\0",
            b"loopdril\0\0\0\x02\0\0\0\0",
            b"somethingelse....",
        ] {
            assert_eq!(read(bytes), None);
        }
    }
}
