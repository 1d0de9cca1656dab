//! Numbers that mean different things have different types.

/// A page of the window, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageIndex(pub u32);

/// A number of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageCount(pub u32);

/// A power of two of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(pub u8);

/// The size of a page, a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    shift: u8,
}

impl PageSize {
    /// A page of so many bytes; none unless that is a power of two and at least 16.
    pub fn new(bytes: u64) -> Option<Self> {
        (bytes.is_power_of_two() && bytes >= 16).then(|| Self {
            shift: bytes.trailing_zeros() as u8,
        })
    }

    /// Bytes of a page.
    pub fn bytes(self) -> u64 {
        1 << self.shift
    }

    /// Whole pages in so many bytes.
    pub fn whole(self, bytes: u64) -> u64 {
        bytes >> self.shift
    }

    /// Pages that hold so many bytes; cannot overflow.
    pub fn holding(self, bytes: u64) -> u64 {
        (bytes >> self.shift) + u64::from(self.within(bytes) != 0)
    }

    /// So many bytes rounded up to whole pages; none where that passes 2^64 - 1.
    pub fn round_up(self, bytes: u64) -> Option<u64> {
        Some(bytes.checked_add(self.bytes() - 1)? & !(self.bytes() - 1))
    }

    /// Bytes of so many pages.
    pub fn span(self, pages: u64) -> u64 {
        pages << self.shift
    }

    /// Where in its page a byte is.
    pub fn within(self, address: u64) -> u64 {
        address & (self.bytes() - 1)
    }

    /// Whether an address or length is a whole number of pages.
    pub fn aligned(self, address: u64) -> bool {
        self.within(address) == 0
    }
}

impl PageCount {
    /// A number of pages, if any window could have that many.
    pub fn new(pages: u64) -> Option<Self> {
        u32::try_from(pages).ok().map(Self)
    }

    /// The granule that holds so many pages: the least power of two (lines 115-119); none
    /// where that is more than any window has.
    pub fn granule(self) -> Option<Order> {
        let rounded = self.0.checked_next_power_of_two()?;
        Some(Order(rounded.trailing_zeros() as u8))
    }
}

impl Order {
    /// Pages in a block of this order.
    pub fn pages(self) -> PageCount {
        PageCount(1 << self.0)
    }
}
