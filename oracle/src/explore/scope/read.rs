//! Scopes as text.

use super::text::{DriverText, FilesText, MmapText, MostText, ProcessesText, SystemText, Text};
use super::{
    AccessOffer, DriverOffer, FilesOffer, MmapOffer, Most, MremapOffer, OpenOffer, Part,
    ProcessesOffer, Scope, SegmentsOffer, Spot,
};
use crate::trace::{Header, PROFILES};
use nommu_model::op::{
    Answer, Capabilities, Fill, MapFlags, OpenFlags, Path, Protection, RemapFlags, SegmentFlags,
};
use nommu_model::outcome::Errno;
use std::ops::Range;
use toml::Spanned;

/// A scope that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct ScopeError {
    /// The file, as its reader names it.
    pub file: String,
    /// Which line, from 1.
    pub line: usize,
    /// Which column, in characters from 1.
    pub column: usize,
    /// What was found there, and what was expected.
    pub problem: String,
}

/// Pages that a scope can have: states are counted, so few are meant.
const PAGE_LIMIT: u64 = 1024;
/// Bytes of a page that a scope can have.
const PAGE_SIZE_LIMIT: u64 = 4096;
/// Live processes that a scope can have.
const PROCESS_LIMIT: usize = 8;
/// Descriptors, mappings and segments that a scope can have.
const THING_LIMIT: usize = 32;

/// Reads a scope; `file` is how a problem names where it came from, and its last part without
/// its ending is the scope's name.
///
/// # Errors
///
/// The first place where the text is not a scope, or contradicts itself.
pub fn read(file: &str, text: &str) -> Result<Scope, ScopeError> {
    let place = Place { file, text };
    let parsed: Text = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        place.problem(start, error.message())
    })?;
    let header = place.header(&parsed.system)?;
    let page = header.page_size;
    let scope = Scope {
        name: std::path::Path::new(file)
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        text: text.to_owned(),
        about: parsed.about,
        depth: match &parsed.depth {
            Some(depth) if *depth.get_ref() == 0 => {
                return Err(place.unexpected(depth.span(), "0", "at least one operation"));
            }
            depth => depth.as_ref().map(|depth| *depth.get_ref()),
        },
        most: place.most(&parsed.most, header.processes)?,
        mmap: place.all(&parsed.mmap, |mmap| place.mmap(mmap, page))?,
        munmap: place.each(&parsed.munmap, |part| place.word(part, PARTS))?,
        mremap: match &parsed.mremap {
            None => None,
            Some(mremap) => Some(MremapOffer {
                lengths: place.lengths(&mremap.pages, &mremap.bytes, page)?,
                flags: place.each(&mremap.flags, |flags| place.flags(flags, REMAP_FLAGS))?,
                parts: mremap.parts,
            }),
        },
        access: AccessOffer {
            at: place.each(&parsed.access.at, |spot| place.word(spot, SPOTS))?,
            load: parsed.access.load,
            store: place.each(&parsed.access.store, |byte| place.byte(byte))?,
            futex: place.values(&parsed.access.futex)?,
        },
        open: place.all(&parsed.open, |open| {
            Ok(OpenOffer {
                paths: place.each(&open.paths, |path| place.path(path))?,
                flags: place.each(&open.flags, |flags| place.flags(flags, OPEN_FLAGS))?,
            })
        })?,
        files: place.files(&parsed.files, page)?,
        processes: place.processes(&parsed.processes, page)?,
        segments: match &parsed.segments {
            None => None,
            Some(segments) => Some(SegmentsOffer {
                keys: place.values(&segments.keys)?,
                sizes: place.lengths(&segments.pages, &segments.bytes, page)?,
                flags: place.each(&segments.flags, |flags| place.flags(flags, SEGMENT_FLAGS))?,
                read_only: segments.read_only,
            }),
        },
        trim: place.values(&parsed.trim)?,
        drivers: place.all(&parsed.driver, |driver| place.driver(driver))?,
        maps: parsed.maps,
        unsupported: parsed.unsupported,
        paths_alike: false,
        keys_alike: true,
        templates: Vec::new(),
        reduces: true,
        header,
    };
    if scope.offers_nothing() {
        return Err(place.problem(
            0,
            "found a scope without operations, expected at least one of mmap, open, processes, \
             segments, trim, driver, maps, unsupported",
        ));
    }
    place.agree(&scope, &parsed.access)?;
    let paths_alike = scope.treats_paths_alike();
    Ok(Scope {
        paths_alike,
        ..scope
    })
}

const PARTS: &[(&str, Part)] = &[
    ("whole", Part::Whole),
    ("head", Part::Head),
    ("tail", Part::Tail),
    ("middle", Part::Middle),
    ("beyond", Part::Beyond),
    ("byte", Part::Byte),
    ("nothing", Part::Nothing),
    ("unaligned", Part::Unaligned),
];

const SPOTS: &[(&str, Spot)] = &[
    ("first", Spot::First),
    ("last", Spot::Last),
    ("pages", Spot::Pages),
    ("across", Spot::Across),
    ("beyond", Spot::Beyond),
];

const MAP_FLAGS: &[(&str, MapFlags)] = &[
    ("none", MapFlags::empty()),
    ("shared", MapFlags::SHARED),
    ("private", MapFlags::PRIVATE),
    ("fixed", MapFlags::FIXED),
    ("uninitialized", MapFlags::UNINITIALIZED),
];

const REMAP_FLAGS: &[(&str, RemapFlags)] = &[
    ("none", RemapFlags::empty()),
    ("maymove", RemapFlags::MAYMOVE),
    ("fixed", RemapFlags::FIXED),
];

const OPEN_FLAGS: &[(&str, OpenFlags)] = &[
    ("r", OpenFlags::READ),
    ("w", OpenFlags::WRITE),
    ("rw", OpenFlags::READ.union(OpenFlags::WRITE)),
    ("create", OpenFlags::CREATE),
    ("truncate", OpenFlags::TRUNCATE),
];

const SEGMENT_FLAGS: &[(&str, SegmentFlags)] = &[
    ("none", SegmentFlags::empty()),
    ("create", SegmentFlags::CREATE),
    ("exclusive", SegmentFlags::EXCLUSIVE),
];

const CAPABILITIES: &[(&str, Capabilities)] = &[
    ("none", Capabilities::empty()),
    ("copy", Capabilities::COPY),
    ("direct", Capabilities::DIRECT),
    ("read", Capabilities::READ),
    ("write", Capabilities::WRITE),
    ("exec", Capabilities::EXEC),
];

/// Where a text came from.
pub(super) struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

pub(super) type Read<T> = Result<T, ScopeError>;

impl Place<'_> {
    fn problem(&self, at: usize, problem: impl Into<String>) -> ScopeError {
        let before = &self.text[..at.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        ScopeError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.into(),
        }
    }

    fn unexpected(&self, span: Range<usize>, found: &str, expected: &str) -> ScopeError {
        self.problem(span.start, format!("found {found}, expected {expected}"))
    }

    /// Points at a table, for what is wrong with all of it.
    pub(super) fn contradiction(&self, table: &str, problem: &str) -> ScopeError {
        let at = self.text.find(table).unwrap_or(0);
        self.problem(at, format!("found a contradiction: {problem}"))
    }

    fn all<T, U>(&self, from: &[T], read: impl Fn(&T) -> Read<U>) -> Read<Vec<U>> {
        from.iter().map(read).collect()
    }

    /// What a list says, each once: what is offered twice is only judged twice.
    fn each<T, U: PartialEq>(
        &self,
        from: &[Spanned<T>],
        read: impl Fn(&Spanned<T>) -> Read<U>,
    ) -> Read<Vec<U>> {
        let meanings = self.all(from, read)?;
        self.distinct(&meanings, |place| from[place].span())?;
        Ok(meanings)
    }

    fn values<T: Copy + PartialEq>(&self, from: &[Spanned<T>]) -> Read<Vec<T>> {
        self.each(from, |value| Ok(*value.get_ref()))
    }

    fn distinct<T: PartialEq>(&self, all: &[T], span: impl Fn(usize) -> Range<usize>) -> Read<()> {
        let again = (1..all.len()).find(|&place| all[..place].contains(&all[place]));
        again.map_or(Ok(()), |place| {
            let span = span(place);
            let found = format!("{} again", self.text.get(span.clone()).unwrap_or_default());
            Err(self.unexpected(span, &found, "each once"))
        })
    }

    fn word<T: Copy>(&self, word: &Spanned<String>, words: &[(&str, T)]) -> Read<T> {
        let found = words.iter().find(|(name, _)| name == word.get_ref());
        found.map(|&(_, meaning)| meaning).ok_or_else(|| {
            let names: Vec<&str> = words.iter().map(|&(name, _)| name).collect();
            let found = format!("{:?}", word.get_ref());
            self.unexpected(word.span(), &found, &format!("one of {}", names.join(", ")))
        })
    }

    /// Words joined by `|`.
    fn flags<T: Copy + std::ops::BitOr<Output = T>>(
        &self,
        text: &Spanned<String>,
        words: &[(&str, T)],
    ) -> Read<T> {
        let word = |word: &str| self.word(&Spanned::new(text.span(), word.to_owned()), words);
        let mut parts = text.get_ref().split('|');
        let first = word(parts.next().unwrap_or_default())?;
        parts.try_fold(first, |all, part| Ok(all | word(part)?))
    }

    fn protection(&self, text: &Spanned<String>) -> Read<Protection> {
        if text.get_ref() == "none" {
            return Ok(Protection::empty());
        }
        let mut protection = Protection::empty();
        for letter in text.get_ref().chars() {
            protection |= match letter {
                'r' => Protection::READ,
                'w' => Protection::WRITE,
                'x' => Protection::EXEC,
                _ => {
                    let found = format!("{:?}", text.get_ref());
                    return Err(self.unexpected(text.span(), &found, "none or letters of rwx"));
                }
            };
        }
        match protection.is_empty() {
            true => Err(self.unexpected(text.span(), "nothing", "none or letters of rwx")),
            false => Ok(protection),
        }
    }

    fn path(&self, text: &Spanned<String>) -> Read<Path> {
        let path = text.get_ref();
        let known = ["/ram", "/disk", "/rom", "/dev"].iter().any(|folder| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        match known {
            true => Ok(Path(path.as_str().into())),
            false => Err(self.unexpected(
                text.span(),
                &format!("{path:?}"),
                "a path in /ram, /disk, /rom or /dev",
            )),
        }
    }

    fn byte(&self, text: &Spanned<String>) -> Read<u8> {
        match text.get_ref().as_bytes() {
            [byte] => Ok(*byte),
            _ => Err(self.unexpected(
                text.span(),
                &format!("{:?}", text.get_ref()),
                "one ASCII character",
            )),
        }
    }

    fn within<T: Copy + PartialOrd + std::fmt::Display>(
        &self,
        number: &Spanned<T>,
        range: std::ops::RangeInclusive<T>,
    ) -> Read<T> {
        let found = *number.get_ref();
        if range.contains(&found) {
            return Ok(found);
        }
        let expected = format!("{} to {}", range.start(), range.end());
        Err(self.unexpected(number.span(), &found.to_string(), &expected))
    }

    /// Sizes in bytes, of so many pages and of so many bytes; those below 0 count down from
    /// 2^64.
    fn lengths(&self, pages: &[Spanned<u64>], bytes: &[Spanned<i64>], page: u64) -> Read<Vec<u64>> {
        let mut lengths = self.all(pages, |pages| {
            pages.get_ref().checked_mul(page).ok_or_else(|| {
                let found = format!("{} pages", pages.get_ref());
                self.unexpected(pages.span(), &found, "less than 2^64 bytes")
            })
        })?;
        lengths.extend(bytes.iter().map(|bytes| *bytes.get_ref() as u64));
        self.distinct(&lengths, |place| match place.checked_sub(pages.len()) {
            None => pages[place].span(),
            Some(place) => bytes[place].span(),
        })?;
        Ok(lengths)
    }

    fn header(&self, system: &SystemText) -> Read<Header> {
        let mut header = Header {
            page_size: 16,
            pages: 8,
            uninitialized: system.uninitialized,
            trim: system.trim.unwrap_or(1),
            ..Header::default()
        };
        if let Some(page) = &system.page {
            header.page_size = self.within(page, 16..=PAGE_SIZE_LIMIT)?;
            if !header.page_size.is_power_of_two() {
                let found = header.page_size.to_string();
                return Err(self.unexpected(page.span(), &found, "a power of two"));
            }
        }
        if let Some(pages) = &system.pages {
            header.pages = self.within(pages, 1..=PAGE_LIMIT)?;
        }
        if let Some(profile) = &system.profile {
            let profiles: Vec<(&str, &str)> = PROFILES.iter().map(|&name| (name, name)).collect();
            header.profile = self.word(profile, &profiles)?.to_owned();
        }
        if let Some(processes) = &system.processes {
            header.processes = self.within(processes, 1..=PROCESS_LIMIT as u16)?;
        }
        Ok(header)
    }

    fn most(&self, most: &MostText, processes: u16) -> Read<Most> {
        let limit = |text: &Option<Spanned<usize>>, default, least, most| match text {
            None => Ok(default),
            Some(number) => self.within(number, least..=most),
        };
        let at_start = usize::from(processes);
        Ok(Most {
            mappings: limit(&most.mappings, 8, 0, THING_LIMIT)?,
            processes: limit(&most.processes, at_start, at_start, PROCESS_LIMIT)?,
            descriptors: limit(&most.descriptors, 2, 0, THING_LIMIT)?,
            segments: limit(&most.segments, 2, 0, THING_LIMIT)?,
        })
    }

    fn mmap(&self, mmap: &MmapText, page: u64) -> Read<MmapOffer> {
        let mut offsets = self.lengths(&mmap.offset_pages, &mmap.offset_bytes, page)?;
        if offsets.is_empty() {
            offsets.push(0);
        }
        Ok(MmapOffer {
            paths: match &mmap.paths {
                None => None,
                Some(paths) => Some(self.each(paths, |path| self.path(path))?),
            },
            unnamed: mmap.unnamed,
            foreign: mmap.foreign,
            hint: mmap.hint,
            lengths: self.lengths(&mmap.pages, &mmap.bytes, page)?,
            protections: self.each(&mmap.protection, |text| self.protection(text))?,
            flags: self.each(&mmap.flags, |flags| self.flags(flags, MAP_FLAGS))?,
            offsets,
        })
    }

    fn files(&self, files: &FilesText, page: u64) -> Read<FilesOffer> {
        let mut offsets = self.lengths(&files.offset_pages, &files.offset_bytes, page)?;
        if offsets.is_empty() {
            offsets.push(0);
        }
        let counts = match files.write_bytes.is_empty() {
            true => vec![4],
            false => self.values(&files.write_bytes)?,
        };
        let mut write = Vec::new();
        for byte in self.each(&files.write, |byte| self.byte(byte))? {
            write.extend(counts.iter().map(|&count| Fill { byte, count }));
        }
        Ok(FilesOffer {
            close: files.close,
            dup: files.dup,
            truncate: self.lengths(&files.truncate_pages, &files.truncate_bytes, page)?,
            write,
            offsets,
            read: files.read_bytes,
            unlink: self.each(&files.unlink, |path| self.path(path))?,
            unnamed: files.unnamed,
        })
    }

    fn processes(&self, processes: &ProcessesText, page: u64) -> Read<ProcessesOffer> {
        let mut stack = self.lengths(&processes.stack_pages, &processes.stack_bytes, page)?;
        if stack.is_empty() {
            stack.push(0);
        }
        Ok(ProcessesOffer {
            fork: processes.fork,
            vfork: processes.vfork,
            clone: processes.clone,
            exec: self.each(&processes.exec, |path| self.path(path))?,
            stack,
            exit: processes.exit,
            ptrace: processes.ptrace,
        })
    }

    fn driver(&self, driver: &DriverText) -> Read<DriverOffer> {
        let path = self.path(&driver.path)?;
        if !["/dev/chr0", "/dev/chr1", "/dev/mtd0"].contains(&&*path.0) {
            let found = format!("{:?}", path.0);
            let expected = "/dev/chr0, /dev/chr1 or /dev/mtd0";
            return Err(self.unexpected(driver.path.span(), &found, expected));
        }
        let mmap = self.each(&driver.mmap, |text| self.answer(text))?;
        if let Some(place) = mmap.iter().position(|&answer| answer == Answer::Absent) {
            let span = driver.mmap[place].span();
            return Err(self.unexpected(span, "\"absent\"", "ok or an error"));
        }
        Ok(DriverOffer {
            path,
            area: self.each(&driver.area, |text| self.answer(text))?,
            mmap,
            capabilities: self.each(&driver.capabilities, |text| {
                match text.get_ref().as_str() {
                    "default" => Ok(None),
                    _ => self.flags(text, CAPABILITIES).map(Some),
                }
            })?,
            read: self.values(&driver.read)?,
            busy: self.values(&driver.busy)?,
        })
    }

    fn answer(&self, text: &Spanned<String>) -> Read<Answer> {
        match text.get_ref().as_str() {
            "absent" => Ok(Answer::Absent),
            "ok" => Ok(Answer::Ok),
            name => match Errno::from_name(name) {
                Some(errno) => Ok(Answer::Error(errno)),
                None => Err(self.unexpected(
                    text.span(),
                    &format!("{name:?}"),
                    "absent, ok or an error such as enosys",
                )),
            },
        }
    }
}
