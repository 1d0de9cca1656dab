//! Bytes of pages, many at a time.
//!
//! Rules about contents look at every byte of every page that an operation is about, and nearly
//! always all of them are as they have to be.

/// Bytes that are looked at together: few instructions, and none of them a branch.
const TOGETHER: usize = 64;

/// Where the first byte is that is not this one.
pub fn first_other(bytes: &[u8], byte: u8) -> Option<usize> {
    let differs = |block: &&[u8]| block.iter().fold(0, |seen, &found| seen | found ^ byte) != 0;
    let alike = bytes
        .chunks_exact(TOGETHER)
        .take_while(|block| !differs(block))
        .count();
    let from = alike * TOGETHER;
    let place = bytes[from..].iter().position(|&found| found != byte)?;
    Some(from + place)
}

/// Where the first byte is that is not what it is in the other, of as many as both have.
pub fn first_unlike(bytes: &[u8], others: &[u8]) -> Option<usize> {
    let count = bytes.len().min(others.len());
    let (bytes, others) = (&bytes[..count], &others[..count]);
    if bytes == others {
        return None;
    }
    bytes
        .iter()
        .zip(others)
        .position(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_wherever_it_is() {
        for length in [0, 1, 63, 64, 65, 200] {
            let alike = vec![7; length];
            assert_eq!(first_other(&alike, 7), None);
            assert_eq!(first_unlike(&alike, &alike), None);
            for place in 0..length {
                let mut bytes = alike.clone();
                bytes[place] = 6;
                bytes[length - 1] ^= 8;
                assert_eq!(first_other(&bytes, 7), Some(place), "{place} of {length}");
                assert_eq!(first_unlike(&bytes, &alike), Some(place));
                assert_eq!(first_unlike(&bytes[..place], &alike), None);
            }
        }
    }
}
