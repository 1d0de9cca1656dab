//! Lengths and offsets, with a preference for those where something changes.

use super::Generator;
use super::source::Source;
use nommu_model::world::World;
use nommu_model::world::file::File;

impl Generator {
    /// A length to map or to make.
    pub(super) fn length(&mut self, world: &World, source: &mut Source<'_, '_>) -> u64 {
        let size = self.focus.header.page_size;
        if source.rarely(self.focus.strange) {
            return self.strange_length(source);
        }
        let pages = match source.below(16) {
            0..=7 => self.focus.pages[source.below(2)],
            8..=10 => source.between(1, 8),
            11 => 1 << source.below(8),
            12 => (1 << source.below(8)) + 1,
            // The most that can be had at once, and a little more or less.
            13 => world.largest_free_order().map_or(1, |order| 1 << order),
            14 => world
                .largest_free_order()
                .map_or(1, |order| (1 << order) + 1),
            _ => world.memory.free_pages().unwrap_or(1),
        };
        let pages = pages.max(1);
        match source.below(8) {
            0..=5 => pages * size,
            6 => (pages * size).saturating_sub(source.between(1, size - 1)),
            _ => (pages - 1) * size + 1,
        }
    }

    /// A length at which something changes, or that is no length at all.
    pub(super) fn strange_length(&mut self, source: &mut Source<'_, '_>) -> u64 {
        let size = self.focus.header.page_size;
        match source.below(12) {
            0..=2 => 0,
            3 => 1,
            4 => size - 1,
            5 => size + 1,
            6 => self.focus.header.pages * size + source.pick(&[0, 1, size]),
            7 => 0u64.wrapping_sub(source.pick(&[1, size - 1, size, size + 1, 2 * size])),
            8 => (1 << 63) + source.pick(&[0, 1, size]) - size,
            9 => (1 << source.between(30, 63)) + source.pick(&[0, 1, size]) - 1,
            10 => source.number(),
            _ => 3 * size,
        }
    }

    /// A page's offset in an object.
    pub(super) fn offset(&mut self, file: Option<&File>, source: &mut Source<'_, '_>) -> u64 {
        let size = self.focus.header.page_size;
        if source.rarely(self.focus.strange) {
            return self.strange_offset(source);
        }
        let pages = file.map_or(0, |file| file.size.div_ceil(size)).min(32);
        match source.below(8) {
            0..=3 => 0,
            4..=6 => source.between(0, pages.max(1) - 1) * size,
            _ => source.between(0, pages + 1) * size,
        }
    }

    /// An offset that is no page's, or that no object has.
    pub(super) fn strange_offset(&mut self, source: &mut Source<'_, '_>) -> u64 {
        let size = self.focus.header.page_size;
        match source.below(8) {
            0 | 1 => source.pick(&[1, size / 2, size + 1, size - 1]),
            2 | 3 => 0u64.wrapping_sub(source.pick(&[1, 2, 3]) * size),
            4 => (1 << 63) - size,
            5 => 1 << 30,
            6 => source.number(),
            _ => 1 << 63,
        }
    }

    /// A byte's offset in a file.
    pub(super) fn position(&mut self, file: Option<&File>, source: &mut Source<'_, '_>) -> u64 {
        let size = self.focus.header.page_size;
        if source.rarely(self.focus.strange) {
            return match source.below(6) {
                0 => (1 << 63) - 1,
                1 => 1 << 63,
                2 => u64::MAX,
                3 => (1 << 30) - source.between(0, 2),
                4 => source.number(),
                _ => 1 << 31,
            };
        }
        let end = file.map_or(0, |file| file.size).min(1 << 20);
        match source.below(8) {
            0 | 1 => 0,
            2 | 3 => source.between(0, end / size) * size,
            4 => end,
            5 => end.saturating_sub(source.between(1, size)),
            6 => source.between(0, (end / size + 2) * size),
            _ => (end / size + source.between(0, 3)) * size,
        }
    }

    /// A number of bytes to load, store, read or write.
    pub(super) fn count(&mut self, most: u64, source: &mut Source<'_, '_>) -> u64 {
        let size = self.focus.header.page_size;
        let count = match source.below(16) {
            0..=3 => most,
            4 | 5 => 1,
            6 => 4,
            7 | 8 => size,
            9 => size + 1,
            10 => source.between(1, 2 * size),
            11 => most / 2 + 1,
            12 => most.saturating_sub(1),
            13 => most + 1,
            14 => 2 * size,
            _ => source.pick(&[0, 8, 3]),
        };
        count.min(LARGEST_COUNT)
    }

    /// The new size of a file.
    pub(super) fn file_size(
        &mut self,
        world: &World,
        file: Option<&File>,
        source: &mut Source<'_, '_>,
    ) -> u64 {
        let size = self.focus.header.page_size;
        let now = file.map_or(0, |file| file.size);
        if source.rarely(self.focus.strange) {
            return match source.below(6) {
                0 => (1 << 30) + 1,
                1 => 1 << 30,
                2 => u64::MAX,
                3 => 1 << 63,
                4 => source.number(),
                _ => 0,
            };
        }
        if let Some(file) = file
            && now > 0
            && source.rarely(60)
            && let Some(edge) = mapped_edge(world, file, source)
        {
            // Where a mapping of it begins or ends, or a byte beside that.
            return match source.below(8) {
                0 => edge.saturating_sub(1),
                1 => edge.saturating_add(1).min(1 << 30),
                _ => edge.min(1 << 30),
            };
        }
        match source.below(16) {
            0..=5 => self.length(world, source).min(1 << 30),
            6 | 7 => 0,
            8 => now,
            9 => now / 2,
            10 => now.saturating_sub(size),
            11 => now.saturating_sub(1),
            12 => (now + size).min(1 << 30),
            13 => (now + 1).min(1 << 30),
            14 => now / size * size,
            _ => now.saturating_sub(now % size + size) + 1,
        }
    }
}

/// Where in a file a mapping of it begins or ends, anybody's.
fn mapped_edge(world: &World, file: &File, source: &mut Source<'_, '_>) -> Option<u64> {
    let number = world
        .files
        .iter()
        .position(|other| std::ptr::eq(&**other, file))?;
    let mapping = super::memory::mapping_of(world, number as u16, source)?;
    let length = match source.evenly() {
        true => mapping.end - mapping.start,
        false => 0,
    };
    Some(mapping.offset.saturating_add(length))
}

/// Bytes that one operation moves at most.
const LARGEST_COUNT: u64 = 1 << 17;
