//! Which bytes have to be where.

use super::World;
use super::file::FileNumber;

/// What a page has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// These bytes, a page of them.
    Bytes(&'a [u8]),
    /// Whatever it likes: a free page, slack, or bytes that nothing ever determined.
    Anything,
}

impl World {
    /// What the page at an address has to hold: a page of the window, or of a device's or a
    /// file's own memory where its address is known.
    pub fn expected_page(&self, address: u64) -> Expected<'_> {
        let _ = address;
        Expected::Anything
    }

    /// What a page of a file has to hold, by its index; zeroes past its size.
    pub fn expected_file_page(&self, number: FileNumber, index: u64) -> Expected<'_> {
        let _ = (number, index);
        Expected::Anything
    }
}
