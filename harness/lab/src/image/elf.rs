//! What a program's file says of itself: for which processor it is, and whether it needs libraries.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// The processor of a program that runs in an image without libraries. Anything else is refused.
pub(super) fn architecture_of_static(file: &mut File) -> Result<&'static str, String> {
    const INTERPRETER: u32 = 3;
    let mut head = [0; 64];
    let short = |_| "it is no Linux program".to_string();
    file.rewind().and_then(|()| file.read_exact(&mut head)).map_err(short)?;
    if &head[..4] != b"\x7fELF" {
        return Err("it is no Linux program".into());
    }
    if head[4] != 2 || head[5] != 1 {
        return Err("it is no 64-bit little-endian program".into());
    }
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let architecture = match half(18) {
        62 => "amd64",
        183 => "arm64",
        other => {
            return Err(format!("it is for a processor that no image is made for (ELF machine {other})"));
        }
    };
    let offset = head[32..40].iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let (size, count) = (u64::from(half(54)), u64::from(half(56)));
    for index in 0..count {
        let mut kind = [0; 4];
        let place = offset.saturating_add(index.saturating_mul(size));
        file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut kind)).map_err(short)?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Err("it is linked dynamically, and its image holds no libraries".into());
        }
    }
    Ok(architecture)
}
