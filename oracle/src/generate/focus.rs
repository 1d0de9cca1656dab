//! What one trace is about.
//!
//! A trace that uses everything rarely uses any two things together. So each trace leaves most
//! things out and comes back to the few that are left: one or two files, few processes, some
//! families of calls, a small memory, a handful of lengths ("swarm testing").

use super::Options;
use super::source::Source;
use crate::trace::Header;
use nommu_model::op::Path;

/// Operations that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Anonymous memory and its size.
    Anonymous,
    /// Files: making, mapping, changing.
    Files,
    /// Drivers that change their answers.
    Drivers,
    /// Processes that come and go.
    Processes,
    /// One process at another's memory.
    Tracing,
    /// SysV segments.
    Segments,
    /// Futexes.
    Futexes,
    /// `/proc`.
    Listings,
    /// The trim watermark.
    Trimming,
    /// What is not there: pipes and sockets to map, calls that need an MMU.
    Oddities,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 10] = [
        Family::Anonymous,
        Family::Files,
        Family::Drivers,
        Family::Processes,
        Family::Tracing,
        Family::Segments,
        Family::Futexes,
        Family::Listings,
        Family::Trimming,
        Family::Oddities,
    ];
}

/// The choices of one trace.
#[derive(Clone, Debug)]
pub struct Focus {
    /// The system that it starts from.
    pub header: Header,
    /// Operations before the end.
    pub length: usize,
    /// How much of each family there is, as in [`Family::ALL`].
    pub shares: [u16; 10],
    /// The files that it comes back to.
    pub paths: Vec<Path>,
    /// The lengths that it comes back to, in pages.
    pub pages: [u64; 2],
    /// How often an argument is a strange one, of 256.
    pub strange: u8,
    /// Whether the end takes everything down one by one; otherwise processes just exit.
    pub tidy: bool,
    /// How often memory is asked for uninitialised, of 256.
    pub uninitialized: u8,
    /// Whether some calls are made many times over.
    pub repeats: bool,
    /// Whether it begins with taking most memory of a machine whose memory is not known, and comes
    /// back to lengths for which the rest may not do.
    pub hoards: bool,
}

const PATHS: [(u16, &str); 12] = [
    (8, "/ram/a"),
    (4, "/disk/a"),
    (4, "/rom/a"),
    (4, "/dev/chr0"),
    (3, "/dev/mtd0"),
    (3, "/dev/ram0"),
    (2, "/ram/b"),
    (2, "/disk/b"),
    (2, "/disk/c"),
    (2, "/rom/b"),
    (2, "/dev/blk0"),
    (1, "/dev/chr1"),
];

impl Focus {
    /// Chooses what a trace is about.
    pub fn choose(source: &mut Source<'_, '_>, options: &Options) -> Self {
        let page_size = match options.page_size {
            Some(size) => size,
            None => source.weighted(&[(6, 64), (3, 16), (2, 256), (1, 4096)]),
        };
        let pages = match options.pages {
            Some(pages) => pages,
            None => source.weighted(&[
                (24, 16),
                (20, 8),
                (12, 32),
                (12, 64),
                (8, 4),
                (8, 12),
                (4, 7),
                (4, 1),
                (4, 2),
                (4, 33),
                // Where an allocator needs more than one word of a bitmap.
                (4, 65),
                (4, 100),
                (4, 300),
            ]),
        };
        let page_size = match options.page_size {
            // Many pages are small ones: what counts is how many there are.
            None if pages > 64 => page_size.min(64),
            _ => page_size,
        };
        let trim = match options.trim {
            Some(trim) => trim,
            None => source.weighted(&[
                (6, 1),
                (4, 0),
                (3, 2),
                (2, 3),
                (1, 4),
                (1, 5),
                (1, 7),
                (1, 64),
            ]),
        };
        let uninitialized = match options.uninitialized {
            Some(on) => on,
            None => source.evenly(),
        };
        let processes = source.weighted(&[(4, 1), (4, 2), (1, 3)]);
        let header = Header {
            page_size,
            pages,
            trim,
            uninitialized,
            profile: options.profile.clone(),
            processes,
            failure: 0,
        };
        let mut shares = [0; 10];
        for share in &mut shares {
            *share = source.weighted(&[(3, 0), (3, 2), (2, 6)]);
        }
        // Something has to be mapped.
        if shares[0] + shares[1] + shares[5] == 0 {
            shares[source.pick(&[0, 1, 5])] = 4;
        }
        if shares[2] > 0 {
            shares[1] = shares[1].max(2);
        }
        let mut paths = Vec::new();
        for _ in 0..source.weighted(&[(3, 1), (3, 2), (1, 3)]) {
            paths.push(Path(source.weighted(&PATHS).into()));
        }
        if shares[2] > 0 {
            paths.push(Path(source.pick(&["/dev/chr0", "/dev/mtd0"]).into()));
        }
        let length = source.weighted(&[(3, options.length), (1, options.length / 2)]);
        let pages = [source.between(1, 5), source.between(1, 9)];
        let strange = source.weighted(&[(4, 10), (2, 0), (2, 40)]);
        // Three choices, of one byte: none needs many.
        let end = source.byte();
        let hoards = options.careful && end % 32 == 2;
        Self {
            header,
            length: length.max(1),
            shares,
            paths,
            pages: if hoards { [1 << 10, 1 << 9] } else { pages },
            strange,
            tidy: end >= 128,
            uninitialized: source.weighted(&[(2, 0), (2, 60), (1, 200)]),
            repeats: end % 16 == 1,
            hoards,
        }
    }
}
