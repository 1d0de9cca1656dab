//! Scopes as text.

use super::text::{
    AccessText, DriverText, FilesText, MmapText, MostText, MremapText, OpenText, ProcessesText,
    SegmentsText, SystemText, Text,
};
use super::{
    AccessOffer, DriverOffer, FilesOffer, MmapOffer, Most, MremapOffer, OpenOffer, Part,
    ProcessesOffer, Scope, SegmentsOffer, Spot,
};
use crate::trace::{Header, PROFILES, is_path};
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
        about: place.about(&parsed.about)?,
        depth: match &parsed.depth {
            Some(depth) if *depth.get_ref() == 0 => {
                return Err(place.unexpected(depth.span(), "0", "at least one operation"));
            }
            depth => depth.as_ref().map(|depth| *depth.get_ref()),
        },
        most: place.most(parsed.most.as_ref(), header.processes)?,
        mmap: place.all(&parsed.mmap, |mmap| place.mmap(mmap.get_ref(), page))?,
        munmap: place.each(&parsed.munmap, |part| place.word(part, PARTS))?,
        mremap: optional(&parsed.mremap, |mremap| {
            place.mremap(mremap, page).map(Some)
        })?,
        access: optional(&parsed.access, |access| place.access(access))?,
        open: place.all(&parsed.open, |open| place.open(open.get_ref()))?,
        files: optional(&parsed.files, |files| place.files(files, page))?,
        processes: optional(&parsed.processes, |processes| {
            place.processes(processes, page)
        })?,
        segments: optional(&parsed.segments, |segments| {
            place.segments(segments, page).map(Some)
        })?,
        trim: place.values(&parsed.trim)?,
        drivers: place.all(&parsed.driver, |driver| place.driver(driver.get_ref()))?,
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
            "found a scope without operations, expected at least one of mmap, open, \
             truncate_paths, unlink, processes, segments, trim, driver, maps, unsupported",
        ));
    }
    place.agree(&scope, &parsed)?;
    place.apart(&scope, &parsed)?;
    let paths_alike = scope.treats_paths_alike();
    Ok(Scope {
        paths_alike,
        ..scope
    })
}

/// What a table says that need not be there.
fn optional<T, U: Default>(table: &Option<Spanned<T>>, read: impl Fn(&T) -> Read<U>) -> Read<U> {
    match table {
        None => Ok(U::default()),
        Some(table) => read(table.get_ref()),
    }
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

    pub(super) fn unexpected(&self, span: Range<usize>, found: &str, expected: &str) -> ScopeError {
        self.problem(span.start, format!("found {found}, expected {expected}"))
    }

    /// Of what a text says there, something can never happen.
    pub(super) fn contradiction(&self, span: Range<usize>, problem: &str) -> ScopeError {
        self.problem(span.start, format!("found a contradiction: {problem}"))
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

    fn about(&self, text: &Spanned<String>) -> Read<String> {
        match text.get_ref().trim().is_empty() {
            true => Err(self.unexpected(text.span(), "nothing", "what the scope is for")),
            false => Ok(text.get_ref().clone()),
        }
    }

    fn path(&self, text: &Spanned<String>) -> Read<Path> {
        let path = text.get_ref();
        let mut parts = path.split('/').skip(1);
        let known = match (parts.next(), parts.next()) {
            (Some("ram" | "disk" | "rom"), _) => true,
            (Some("dev"), name) => name.is_some(),
            _ => false,
        };
        match known && is_path(path) {
            true => Ok(Path(path.as_str().into())),
            false => Err(self.unexpected(
                text.span(),
                &format!("{path:?}"),
                "/ram, /disk or /rom, or a path such as /ram/a in one of them or in /dev",
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

    fn most(&self, most: Option<&Spanned<MostText>>, processes: u16) -> Read<Most> {
        let at_start = usize::from(processes);
        let default = Most {
            mappings: 8,
            processes: at_start,
            descriptors: 2,
            segments: 2,
        };
        let Some(most) = most.map(Spanned::get_ref) else {
            return Ok(default);
        };
        let limit = |text: &Option<Spanned<usize>>, default, least, most| match text {
            None => Ok(default),
            Some(number) => self.within(number, least..=most),
        };
        Ok(Most {
            mappings: limit(&most.mappings, default.mappings, 0, THING_LIMIT)?,
            processes: limit(&most.processes, at_start, at_start, PROCESS_LIMIT)?,
            descriptors: limit(&most.descriptors, default.descriptors, 0, THING_LIMIT)?,
            segments: limit(&most.segments, default.segments, 0, THING_LIMIT)?,
        })
    }

    fn mremap(&self, mremap: &MremapText, page: u64) -> Read<MremapOffer> {
        Ok(MremapOffer {
            lengths: self.lengths(&mremap.pages, &mremap.bytes, page)?,
            flags: self.each(&mremap.flags, |flags| self.flags(flags, REMAP_FLAGS))?,
            parts: mremap.parts,
        })
    }

    fn access(&self, access: &AccessText) -> Read<AccessOffer> {
        Ok(AccessOffer {
            at: self.each(&access.at, |spot| self.word(spot, SPOTS))?,
            load: access.load,
            store: self.each(&access.store, |byte| self.byte(byte))?,
            futex: self.values(&access.futex)?,
        })
    }

    fn open(&self, open: &OpenText) -> Read<OpenOffer> {
        Ok(OpenOffer {
            paths: self.each(&open.paths, |path| self.path(path))?,
            flags: self.each(&open.flags, |text| {
                let flags = self.flags(text, OPEN_FLAGS)?;
                let found = format!("{:?}", text.get_ref());
                if !flags.intersects(OpenFlags::READ | OpenFlags::WRITE) {
                    return Err(self.unexpected(text.span(), &found, "r, w or rw among them"));
                }
                if flags.contains(OpenFlags::TRUNCATE) && !flags.contains(OpenFlags::WRITE) {
                    let expected = "truncate with w or rw only";
                    return Err(self.unexpected(text.span(), &found, expected));
                }
                Ok(flags)
            })?,
        })
    }

    fn segments(&self, segments: &SegmentsText, page: u64) -> Read<SegmentsOffer> {
        Ok(SegmentsOffer {
            keys: self.values(&segments.keys)?,
            sizes: self.lengths(&segments.pages, &segments.bytes, page)?,
            flags: self.each(&segments.flags, |flags| self.flags(flags, SEGMENT_FLAGS))?,
            read_only: segments.read_only,
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
            truncate_paths: self.each(&files.truncate_paths, |path| self.path(path))?,
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
