//! The text of `/proc/maps` and `/proc/<pid>/maps`, read as what it lists.

use super::convert;
use nommu_engine::MapsPosition;
use nommu_model::observation::{MappingView, Object, RegionView};
use nommu_model::op::Protection;
use nommu_model::outcome::{Outcome, Value};

/// Bytes of a line of a listing at most, for the longest path with all its letters escaped: a
/// listing with more for each entry does not end.
const LINE_LIMIT: usize = 1 << 14;
/// Bytes of a listing that are read at once at most.
const CHUNK_LIMIT: u64 = 1 << 14;

/// Reads a listing of so many entries to its end, so many bytes at a time; 0 is as many as
/// there are.
///
/// # Errors
///
/// What is wrong with it, as the outcome of the call that lists.
pub fn read(
    text: &mut Vec<u8>,
    chunk: u64,
    entries: usize,
    read: impl FnMut(&mut MapsPosition, &mut [u8]) -> nommu_engine::Result<usize>,
) -> Result<Vec<MappingView>, Outcome> {
    read_text(text, chunk, entries, read)?;
    listing(text).map_err(Outcome::Crash)
}

/// One line: `start-end rwxp offset major:minor inode path`. Files are on device 00:01 and
/// segments on 00:02, each under its number.
pub fn line(text: &str) -> Option<MappingView> {
    let mut fields = text.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let letters: [u8; 4] = fields.next()?.as_bytes().try_into().ok()?;
    let mut protection = Protection::empty();
    let bits = [
        (b'r', Protection::READ),
        (b'w', Protection::WRITE),
        (b'x', Protection::EXEC),
    ];
    for (&letter, (set, bit)) in letters.iter().zip(bits) {
        match letter {
            b'-' => {}
            letter if letter == set => protection |= bit,
            _ => return None,
        }
    }
    let shared = match letters[3] {
        b'p' => false,
        b's' | b'S' => true,
        _ => return None,
    };
    let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
    let device = fields.next()?;
    let inode = fields.next()?.parse().ok()?;
    let object = match device {
        "00:00" => None,
        "00:01" => Some(Object::File(inode)),
        "00:02" => Some(Object::Segment(inode)),
        _ => return None,
    };
    Some(MappingView {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        protection,
        shared,
        object,
        offset,
    })
}

fn read_text(
    text: &mut Vec<u8>,
    chunk: u64,
    entries: usize,
    mut read: impl FnMut(&mut MapsPosition, &mut [u8]) -> nommu_engine::Result<usize>,
) -> Result<(), Outcome> {
    text.clear();
    let chunk = match chunk {
        0 => CHUNK_LIMIT,
        chunk => chunk.min(CHUNK_LIMIT),
    } as usize;
    let limit = LINE_LIMIT * (entries + 1);
    let mut position = MapsPosition::default();
    loop {
        let length = text.len();
        if length > limit {
            return Err(Outcome::Crash("a listing that does not end".to_owned()));
        }
        text.resize(length + chunk, 0);
        let count = read(&mut position, &mut text[length..]);
        match count {
            Ok(count) if count <= chunk => {
                text.truncate(length + count);
                if count == 0 {
                    return Ok(());
                }
            }
            Ok(count) => {
                let words = format!("a read of {count} bytes into {chunk}");
                return Err(Outcome::Crash(words));
            }
            Err(error) => return Err(convert::outcome(Err::<(), _>(error), |()| Value::Done)),
        }
    }
}

/// A whole listing.
///
/// # Errors
///
/// The first line that cannot be read, in words.
pub fn listing(text: &[u8]) -> Result<Vec<MappingView>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "a listing that is no text".to_owned())?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("a listing whose last line does not end".to_owned());
    }
    text.lines()
        .map(|text| line(text).ok_or_else(|| format!("a listing with the line {text:?}")))
        .collect()
}

/// A line of `/proc/maps` as a region: the text does not say what lies behind its end, who
/// uses it, or whether it is a copy.
pub fn region(line: MappingView) -> RegionView {
    RegionView {
        start: line.start,
        end: line.end,
        top: line.end,
        protection: line.protection,
        object: line.object,
        offset: line.offset,
        copy: false,
        users: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_prints() {
        let text = b"40001000-40003000 r-xS 00001000 00:01 5      /rom/a\n\
            40003000-40004000 rw-p 00000000 00:00 0 \n";
        let lines = listing(text).expect("a sound listing");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].object, Some(Object::File(5)));
        assert_eq!(lines[0].protection, Protection::READ | Protection::EXEC);
        assert!(lines[0].shared && !lines[1].shared);
        assert_eq!((lines[0].offset, lines[1].end), (0x1000, 0x4000_4000));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for text in [
            "40001000-40003000 r-xq 0 00:00 0\n",
            "40001000-40003000 r-xp 0 00:00\n",
            "40001000 r-xp 0 00:00 0\n",
            "40001000-40003000 r-xp 0 00:00 0",
        ] {
            assert!(listing(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
