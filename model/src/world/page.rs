//! Contents, a page at a time.

use std::sync::Arc;

/// The bytes of one page, as far as they are determined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Every byte is known. Shared between worlds until one of them changes it.
    Known(Arc<[u8]>),
    /// Never determined: uninitialised memory (lines 138-142), or slack.
    Unknown,
}
