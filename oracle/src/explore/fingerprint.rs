//! What is remembered of a state instead of the state.

use xxhash_rust::xxh3::xxh3_128;

/// Bits of the fingerprint that choose a shard, and are kept by being in that shard.
pub(super) const SHARD_BITS: u32 = 8;

/// Bits that tell two states apart: those of the shard and the 64 of the stored key.
pub const FINGERPRINT_BITS: u32 = SHARD_BITS + 64;

/// A hash of a state's canonical bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// Never 0, which is how a table says that a place is empty.
    pub key: u64,
    pub shard: u8,
}

impl Fingerprint {
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        let hash = xxh3_128(bytes);
        Self {
            key: (hash as u64).max(1),
            shard: (hash >> 120) as u8,
        }
    }
}

/// An upper bound on the chance that among so many different states any two have one
/// fingerprint, so that what follows one of them was never looked at (the birthday bound).
pub fn collision_probability(states: u64) -> f64 {
    let pairs = states as f64 * states.saturating_sub(1) as f64 / 2.0;
    (pairs / 2f64.powi(FINGERPRINT_BITS as i32)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_state_cannot_collide_and_countless_ones_must() {
        assert_eq!(collision_probability(0), 0.0);
        assert_eq!(collision_probability(1), 0.0);
        assert_eq!(collision_probability(2), 2f64.powi(-72));
        assert_eq!(collision_probability(u64::MAX), 1.0);
    }

    #[test]
    fn the_fingerprint_of_a_state_stays_the_same_for_ever() {
        // Checkpoints hold a digest of fingerprints.
        let Fingerprint { key, shard } = Fingerprint::of(b"nommu");
        assert_eq!((key, shard), (2_545_929_742_659_915_645, 22));
    }
}
