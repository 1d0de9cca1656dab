//! States in the order in which they wait for their turn.

use std::collections::VecDeque;

/// How many states are freed at a time.
const SEGMENT: usize = 4096;

/// A queue of packed states that gives memory back as it is worked off.
#[derive(Debug)]
pub(super) struct Frontier<P> {
    /// All but the last are full.
    segments: VecDeque<Vec<P>>,
    /// States at the front of the first segment that are done.
    done: usize,
    len: usize,
    /// Bytes on the heap behind the states.
    heap_bytes: u64,
}

impl<P> Frontier<P> {
    pub fn new() -> Self {
        Self {
            segments: VecDeque::new(),
            done: 0,
            len: 0,
            heap_bytes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory, as if what is done were gone at once.
    pub fn bytes(&self) -> u64 {
        (self.len * size_of::<P>()) as u64 + self.heap_bytes
    }

    pub fn push(&mut self, packed: P, heap_bytes: usize) {
        match self.segments.back_mut() {
            Some(last) if last.len() < SEGMENT => last.push(packed),
            _ => {
                // Short levels need no whole segment.
                let mut segment = Vec::with_capacity(if self.len == 0 { 4 } else { SEGMENT });
                segment.push(packed);
                self.segments.push_back(segment);
            }
        }
        self.len += 1;
        self.heap_bytes += heap_bytes as u64;
    }

    /// The state that has so many waiting before it.
    pub fn get(&self, index: usize) -> &P {
        let place = index + self.done;
        &self.segments[place / SEGMENT][place % SEGMENT]
    }

    /// Lets go of the first so many states.
    pub fn advance(&mut self, count: usize, heap_bytes: impl Fn(&P) -> usize) {
        assert!(count <= self.len, "only what is there can be done");
        for index in 0..count {
            self.heap_bytes -= heap_bytes(self.get(index)) as u64;
        }
        self.len -= count;
        self.done += count;
        while self.done >= SEGMENT {
            self.segments.pop_front();
            self.done -= SEGMENT;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_over_segments_and_counts_what_waits() {
        let mut frontier = Frontier::new();
        for state in 0..10_000u32 {
            frontier.push(state, 1);
        }
        frontier.advance(5_000, |_| 1);
        assert_eq!(frontier.len(), 5_000);
        assert_eq!(frontier.bytes(), 5_000 * (4 + 1));
        assert_eq!(*frontier.get(0), 5_000);
        assert_eq!(*frontier.get(4_999), 9_999);
        assert_eq!(frontier.segments.len(), 2);
        frontier.advance(5_000, |_| 1);
        assert_eq!(frontier.bytes(), 0);
    }
}
