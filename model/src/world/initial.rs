//! The system before its first operation.

use super::World;
use super::config::Config;
use super::file::{Driver, File, FilePage, Kind};
use super::memory::Memory;
use super::page::Page;
use super::process::ProcessState;
use super::region::RegionId;
use super::shared::Shared;
use super::space::{Space, SpaceNumber};
use crate::op::{Answer, Capabilities, Path};
use std::sync::Arc;

/// The objects that exist from the start, with their size in quarters of a page.
const OBJECTS: [(&str, Kind, u64); 12] = [
    ("/ram", Kind::Directory, 0),
    ("/disk", Kind::Directory, 0),
    ("/rom", Kind::Directory, 0),
    ("/disk/a", Kind::Regular, 10),
    ("/disk/b", Kind::Regular, 16),
    ("/rom/a", Kind::ExecuteInPlace, 13),
    ("/rom/b", Kind::ExecuteInPlace, 4),
    ("/dev/blk0", Kind::Block, 16),
    ("/dev/ram0", Kind::MemoryBlock, 16),
    ("/dev/chr0", Kind::Character, 16),
    ("/dev/chr1", Kind::Character, 16),
    ("/dev/mtd0", Kind::Mtd, 16),
];

/// The objects that exist from the start, in systems whose pages have one size. Worlds that begin
/// with the same share their bytes until one of them changes some.
#[derive(Clone, Debug)]
pub struct Objects {
    page_size: u64,
    files: Shared<Vec<Shared<File>>>,
    zero: Arc<[u8]>,
}

impl Objects {
    /// Makes them.
    pub fn new(page_size: u64) -> Self {
        let files = (0..)
            .zip(OBJECTS)
            .map(|(number, (path, kind, quarters))| {
                let size = quarters * page_size / 4;
                Shared::new(object(number, path, kind, size, page_size))
            })
            .collect();
        Self {
            page_size,
            files: Shared::new(files),
            zero: vec![0; page_size as usize].into(),
        }
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        self.page_size
    }
}

impl World {
    /// A system before its first operation: the objects that exist from the start, and
    /// processes with nothing mapped or open.
    pub fn new(config: Config) -> World {
        Self::with_objects(&Objects::new(config.page_size), config)
    }

    /// The same, for whoever makes many.
    ///
    /// # Panics
    ///
    /// When the objects are for pages of another size.
    pub fn with_objects(objects: &Objects, config: Config) -> World {
        assert_eq!(
            objects.page_size, config.page_size,
            "objects of other pages"
        );
        let spaces = (0..config.processes)
            .map(|_| Shared::new(Space::default()))
            .collect();
        let processes = (0..config.processes)
            .map(|number| ProcessState {
                alive: true,
                space: SpaceNumber(number),
                waits_for: None,
                tracer: None,
                descriptors: Shared::default(),
            })
            .collect();
        World {
            files: objects.files.clone(),
            segments: Shared::default(),
            regions: Shared::default(),
            spaces: Shared::new(spaces),
            processes: Shared::new(processes),
            open_files: Shared::default(),
            names: Shared::default(),
            memory: Shared::new(Memory::new(&config)),
            next_region: RegionId(0),
            zero: objects.zero.clone(),
            config: Shared::new(config),
        }
    }
}

/// One of them, with the bytes it has in every trace: never zero, and different from page to
/// page and from object to object.
fn object(number: u64, path: &str, kind: Kind, size: u64, page_size: u64) -> File {
    let pages = (0..size.div_ceil(page_size))
        .map(|index| {
            let start = index * page_size;
            let first = (17 * number + 31 * index + start) % 251;
            let values = (0..251).cycle().skip(first as usize);
            let used = size.saturating_sub(start).min(page_size) as usize;
            let mut bytes: Vec<u8> = values.map(|value: u8| value + 1).take(used).collect();
            bytes.resize(page_size as usize, 0);
            let bytes: Arc<[u8]> = bytes.into();
            FilePage {
                index: index as u32,
                contents: Page::Known(bytes),
                address: None,
            }
        })
        .collect();
    File {
        kind,
        path: Some(Path(path.into())),
        size,
        pages,
        memory: None,
        driver: driver(kind),
        dead: false,
    }
}

/// What a device's driver does until a trace says otherwise.
fn driver(kind: Kind) -> Option<Driver> {
    let capabilities = match kind {
        Kind::Character => None,
        Kind::Mtd => Some(
            Capabilities::DIRECT | Capabilities::COPY | Capabilities::READ | Capabilities::EXEC,
        ),
        _ => return None,
    };
    Some(Driver {
        capabilities,
        area: Answer::Ok,
        mmap: Answer::Ok,
        readable: true,
        busy: false,
        area_calls: 0,
        mmap_calls: 0,
        close_calls: 0,
    })
}
