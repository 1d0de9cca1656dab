//! The text form of a trace: what is asked of an implementation, one operation a line.
//!
//! `specs/trace.md` is its reference. [`Trace::parse`] reads it, [`Trace`]'s `Display` writes
//! its canonical form, and the one inverts the other. Neither knows what any operation does.

mod arguments;
mod cursor;
mod driver;
mod header;
mod names;
mod operation;
mod parse;
mod print;
mod problem;

#[cfg(test)]
mod tests;

pub(crate) use arguments::is_path;
pub use header::{Header, PROFILES};
pub use parse::single;
pub use print::Text;
pub use problem::Problem;

use nommu_model::op::Operation;

/// Bytes of a line at most.
pub const LINE_LIMIT: usize = 4096;
/// Bytes of a file at most.
pub const FILE_LIMIT: usize = 1 << 28;
/// Operations of a trace at most.
pub const OPERATION_LIMIT: usize = 1_000_000;

/// A trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The system that it starts from.
    pub header: Header,
    /// Its operations, in order.
    pub lines: Vec<Line>,
    /// Comments below the last operation.
    pub closing: Vec<String>,
}

/// One operation, and what is written around it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is asked.
    pub operation: Operation,
    /// Comments on the lines above it, without their `#`.
    pub above: Vec<String>,
    /// The comment behind it, without its `#`.
    pub beside: Option<String>,
    /// Where it was read from; nothing in the text says so, and equality ignores it.
    pub place: Option<Place>,
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        (&self.operation, &self.above, &self.beside)
            == (&other.operation, &other.above, &other.beside)
    }
}

impl Eq for Line {}

impl From<Operation> for Line {
    fn from(operation: Operation) -> Self {
        Self {
            operation,
            above: Vec::new(),
            beside: None,
            place: None,
        }
    }
}

impl Trace {
    /// A trace without comments.
    pub fn new(header: Header, operations: impl IntoIterator<Item = Operation>) -> Self {
        Self {
            header,
            lines: operations.into_iter().map(Line::from).collect(),
            closing: Vec::new(),
        }
    }

    /// Reads a trace; `file` is how a problem names where it came from.
    ///
    /// # Errors
    ///
    /// The first place where the text is not a trace.
    pub fn parse(file: &str, text: &[u8]) -> Result<Self, Box<Problem>> {
        parse::trace(file, text)
    }

    /// Its operations, without what is written around them.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = &Operation> {
        self.lines.iter().map(|line| &line.operation)
    }
}
