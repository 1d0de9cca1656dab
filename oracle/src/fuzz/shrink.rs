//! Leaving out what is not needed, for anything that is a sequence.

/// Candidates that are tried at most: a limit, far above what is ever needed.
const LIMIT: usize = 20_000;

/// As few of some items as still have what the whole has: none of them alone can be left out.
/// `has` is asked of each candidate.
pub fn shrink<T: Clone>(items: &[T], mut has: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let mut tried = 0;
    let mut length = items.len().next_power_of_two();
    while length > 0 {
        let before = items.len();
        let mut end = items.len();
        while end > 0 && tried < LIMIT {
            let start = end.saturating_sub(length);
            let mut fewer = items.clone();
            fewer.drain(start..end);
            tried += 1;
            if has(&fewer) {
                items = fewer;
            }
            end = start;
        }
        // A single one that had to stay may have become superfluous.
        if length > 1 || items.len() == before {
            length /= 2;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn what_is_needed_stays() {
        let all: Vec<u8> = (0..200).collect();
        let needed = [3, 17, 18, 199];
        let left = shrink(&all, |some| needed.iter().all(|one| some.contains(one)));
        assert_eq!(left, needed);
        assert!(shrink(&all, |_| true).is_empty());
        assert_eq!(shrink(&all, |some| some.len() == 200), all);
        // Two together, where neither alone can go.
        let odd = shrink(&all[..101], |some| some.len() % 2 == 1);
        assert_eq!(odd.len(), 1);
    }
}
