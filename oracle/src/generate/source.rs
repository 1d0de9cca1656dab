//! Choices made from bytes.

use arbitrary::Unstructured;

/// Choices that are made often, with how often each is made.
#[derive(Clone, Debug)]
pub struct Weights<T> {
    /// Each with the sum of the weights up to its own.
    choices: Vec<(usize, T)>,
}

impl<T> FromIterator<(u16, T)> for Weights<T> {
    fn from_iter<I: IntoIterator<Item = (u16, T)>>(choices: I) -> Self {
        let mut sum = 0;
        let choices = choices.into_iter().map(|(weight, choice)| {
            sum += usize::from(weight);
            (sum, choice)
        });
        Self {
            choices: choices.collect(),
        }
    }
}

/// Where choices come from. Bytes that are used up choose the first of everything, which is
/// the plainest.
pub struct Source<'a, 'b> {
    bytes: &'a mut Unstructured<'b>,
}

impl<'a, 'b> Source<'a, 'b> {
    /// Choices from these bytes.
    pub fn new(bytes: &'a mut Unstructured<'b>) -> Self {
        Self { bytes }
    }

    /// Whether the bytes are used up.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes.bytes(1).map_or(0, |bytes| bytes[0])
    }

    /// A number.
    pub fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        let _ = self.bytes.fill_buffer(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below another, which is not 0 and at most 2^16.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit <= 256 {
            return usize::from(self.byte()) * limit / 256;
        }
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number * limit / 65536
    }

    /// A number between two, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below((high - low + 1).min(65536) as usize) as u64
    }

    /// True in so many of 256 cases, and never when the bytes are used up.
    pub fn rarely(&mut self, of_256: u8) -> bool {
        self.byte() > u8::MAX - of_256
    }

    /// True in about half the cases.
    pub fn evenly(&mut self) -> bool {
        self.byte() >= 128
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// One of several, each as often as its weight says; there must be one.
    pub fn among<T: Copy>(&mut self, weights: &Weights<T>) -> T {
        let choices = &weights.choices;
        let chosen = self.below(choices[choices.len() - 1].0);
        choices[choices.partition_point(|&(sum, _)| sum <= chosen)].1
    }

    /// The same for choices that are made now and then.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u16, T)]) -> T {
        let total: usize = choices.iter().map(|&(weight, _)| usize::from(weight)).sum();
        let mut rest = self.below(total);
        for &(weight, choice) in choices {
            match rest.checked_sub(usize::from(weight)) {
                Some(less) => rest = less,
                None => return choice,
            }
        }
        choices[0].1
    }
}
