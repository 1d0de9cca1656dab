//! The files and devices that exist from the start.

use super::{Content, File, Kind, Path, Sparse};
use crate::config::Config;
use crate::driver::Driver;
use crate::engine::Engine;
use crate::error::Result;
use crate::flags::Capabilities;
use crate::memory::Memory;

/// A file that exists from the start. Sizes and places count quarters of a page.
struct Builtin {
    path: &'static str,
    kind: Kind,
    quarters: u64,
    /// Where in device memory it is, if it is there. ROM is not page aligned (lines 111-113).
    place: Option<u64>,
}

const fn builtin(path: &'static str, kind: Kind, quarters: u64, place: Option<u64>) -> Builtin {
    Builtin {
        path,
        kind,
        quarters,
        place,
    }
}

/// In the order of their numbers.
const BUILTIN: [Builtin; 12] = [
    builtin("/ram", Kind::Directory, 0, None),
    builtin("/disk", Kind::Directory, 0, None),
    builtin("/rom", Kind::Directory, 0, None),
    builtin("/disk/a", Kind::Regular, 10, None),
    builtin("/disk/b", Kind::Regular, 16, None),
    builtin("/rom/a", Kind::ExecuteInPlace, 13, Some(1)),
    builtin("/rom/b", Kind::ExecuteInPlace, 4, Some(19)),
    builtin("/dev/blk0", Kind::Block, 16, None),
    builtin("/dev/ram0", Kind::MemoryBlock, 16, Some(24)),
    builtin("/dev/chr0", Kind::Character, 16, Some(40)),
    builtin("/dev/chr1", Kind::Character, 16, Some(56)),
    builtin("/dev/mtd0", Kind::Mtd, 16, Some(72)),
];

/// Pages of device memory.
pub(crate) fn device_pages() -> u64 {
    22
}

/// How long it takes until the bytes of a page repeat.
const PERIOD: usize = 251;

/// Every run of bytes, up to a period long, that occurs in a page: never 0.
const RUNS: [u8; 2 * PERIOD] = {
    let mut runs = [0; 2 * PERIOD];
    let mut at = 0;
    while at < runs.len() {
        runs[at] = (at % PERIOD + 1) as u8;
        at += 1;
    }
    runs
};

/// What a file holds at the start, different by page and by file: passes it on in runs within
/// a page, each with its offset.
fn initial_runs(number: u64, page_size: u64, size: u64, mut take: impl FnMut(u64, &[u8])) {
    let mut offset = 0;
    while offset < size {
        let in_page = page_size - offset % page_size;
        let length = in_page.min(size - offset).min(PERIOD as u64);
        let first = (17 * number + 31 * (offset / page_size) + offset) as usize % PERIOD;
        take(offset, &RUNS[first..first + length as usize]);
        offset += length;
    }
}

impl<M: Memory> Engine<M> {
    pub(crate) fn make_builtin_files(&mut self, config: &Config, devices: u64) -> Result<()> {
        let page_size = config.page_size;
        let quarter = page_size / 4;
        self.memory.fill(devices, device_pages() * page_size, 0);
        for (number, builtin) in BUILTIN.iter().enumerate() {
            let number = number as u64;
            let size = builtin.quarters * quarter;
            let mut sparse = Sparse::default();
            let content = match (builtin.kind, builtin.place) {
                (Kind::Directory, _) => Content::None,
                (_, Some(place)) => {
                    let start = devices + place * quarter;
                    initial_runs(number, page_size, size, |offset, bytes| {
                        self.memory.write(start + offset, bytes);
                    });
                    Content::At(start)
                }
                (_, None) => {
                    sparse.make(0, size.div_ceil(page_size), page_size as usize)?;
                    initial_runs(number, page_size, size, |offset, bytes| {
                        let page = sparse.page_mut(offset / page_size, page_size as usize);
                        let from = (offset % page_size) as usize;
                        if let Some(there) =
                            page.and_then(|page| page.get_mut(from..from + bytes.len()))
                        {
                            there.copy_from_slice(bytes);
                        }
                    });
                    Content::Sparse(sparse)
                }
            };
            let number = self.files.next_number();
            let path = Path::Builtin(builtin.path);
            let mut file = File::new(number, builtin.kind, path, size, content);
            file.driver = match builtin.kind {
                Kind::Character => Some(Driver::new(None)),
                Kind::Mtd => Some(Driver::new(Some(Capabilities::all() - Capabilities::WRITE))),
                _ => None,
            };
            self.files.reserve()?;
            self.files.insert(file);
        }
        Ok(())
    }
}
