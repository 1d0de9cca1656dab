//! Whether the parts of a scope agree: what can never happen is a mistake.

use super::read::{Place, Read};
use super::text::Text;
use super::{
    AccessOffer, DriverOffer, FilesOffer, MmapOffer, ProcessesOffer, Scope, SegmentsOffer,
};
use nommu_model::op::{OpenFlags, Path};
use std::ops::Range;
use toml::Spanned;

impl Scope {
    pub(super) fn offers_nothing(&self) -> bool {
        let ProcessesOffer {
            fork,
            vfork,
            clone,
            exec,
            exit,
            ptrace,
            stack: _,
        } = &self.processes;
        let processes = *fork || *vfork || *clone || *exit || *ptrace || !exec.is_empty();
        self.mmap.is_empty()
            && self.open.is_empty()
            && self.segments.is_none()
            && self.trim.is_empty()
            && self.drivers.is_empty()
            && !self.maps
            && !self.unsupported
            && !self.files.unnamed
            && self.files.truncate_paths.is_empty()
            && self.files.unlink.is_empty()
            && !processes
    }

    /// Whether there are ever descriptors.
    fn opens(&self) -> bool {
        !self.open.is_empty() || self.files.unnamed
    }

    /// Whether each list of paths has all paths that files are made at in a folder, or none.
    pub(super) fn treats_paths_alike(&self) -> bool {
        let creating = self.open.iter().filter(|open| {
            let mut flags = open.flags.iter();
            flags.any(|flags| flags.contains(OpenFlags::CREATE))
        });
        let mut made: Vec<&Path> = creating.flat_map(|open| &open.paths).collect();
        made.sort();
        made.dedup();
        let mapped = self.mmap.iter().filter_map(|mmap| mmap.paths.as_ref());
        let opened = self.open.iter().map(|open| &open.paths);
        let files = &self.files;
        let others = [&files.truncate_paths, &files.unlink, &self.processes.exec];
        mapped.chain(opened).chain(others).all(|paths| {
            ["/ram/", "/disk/"].iter().all(|folder| {
                let mut own = made.iter().filter(|path| path.0.starts_with(folder));
                let count = own.clone().count();
                let named = own.by_ref().filter(|path| paths.contains(path)).count();
                named == 0 || named == count
            })
        }) && !made
            .iter()
            .any(|path| matches!(&*path.0, "/disk/a" | "/disk/b"))
    }
}

impl DriverOffer {
    fn tells_nothing(&self) -> bool {
        let DriverOffer {
            path: _,
            area,
            mmap,
            capabilities,
            read,
            busy,
        } = self;
        area.is_empty()
            && mmap.is_empty()
            && capabilities.is_empty()
            && read.is_empty()
            && busy.is_empty()
    }
}

impl Place<'_> {
    /// Refuses what can never happen.
    pub(super) fn agree(&self, scope: &Scope, parsed: &Text) -> Read<()> {
        self.agree_on_access(scope, parsed)?;
        for (mmap, table) in scope.mmap.iter().zip(&parsed.mmap) {
            if let Some(problem) = wrong_with_mmap(scope, mmap) {
                return Err(self.contradiction(table.span(), &problem));
            }
        }
        for (driver, table) in scope.drivers.iter().zip(&parsed.driver) {
            if driver.tells_nothing() {
                return Err(self.contradiction(table.span(), "the driver is told nothing"));
            }
        }
        self.agree_on_memory(scope, parsed)?;
        self.agree_on_files(scope, parsed)?;
        self.agree_on_processes(scope, parsed)
    }

    fn agree_on_access(&self, scope: &Scope, parsed: &Text) -> Read<()> {
        let Some(table) = &parsed.access else {
            return Ok(());
        };
        let AccessOffer {
            at,
            load,
            store,
            futex,
        } = &scope.access;
        let uses = *load || !store.is_empty() || !futex.is_empty();
        if uses && at.is_empty() {
            let problem = "memory is used, and `at` says nowhere";
            return Err(self.contradiction(table.span(), problem));
        }
        if !at.is_empty() && !uses && !scope.processes.ptrace {
            let problem = "`at` says where, and nothing is done there";
            return Err(self.contradiction(table.span(), problem));
        }
        Ok(())
    }

    /// Refuses uses of memory where there is none.
    fn agree_on_memory(&self, scope: &Scope, parsed: &Text) -> Read<()> {
        let maps = !scope.mmap.is_empty() || scope.segments.is_some();
        if maps && scope.most.mappings == 0 {
            let problem = "memory is mapped, and there are 0 mappings";
            return Err(self.contradiction(span(&parsed.most), problem));
        }
        if let Some(segments) = &scope.segments {
            let SegmentsOffer {
                keys, sizes, flags, ..
            } = segments;
            if scope.most.segments == 0 {
                let problem = "segments are made, and there are 0";
                return Err(self.contradiction(span(&parsed.most), problem));
            }
            if keys.is_empty() || sizes.is_empty() || flags.is_empty() {
                let problem = "a key, a size or flags are missing, and no segment is made";
                return Err(self.contradiction(span(&parsed.segments), problem));
            }
        }
        if let Some(mremap) = &scope.mremap
            && (mremap.lengths.is_empty() || mremap.flags.is_empty())
        {
            let problem = "a length or flags are missing, and nothing is resized";
            return Err(self.contradiction(span(&parsed.mremap), problem));
        }
        let executes = !scope.processes.exec.is_empty();
        let uses = [
            parsed.munmap.first().map(Spanned::span),
            parsed.mremap.as_ref().map(Spanned::span),
            parsed.access.as_ref().map(Spanned::span),
        ];
        match uses.into_iter().flatten().next() {
            Some(used) if !maps && !executes => {
                Err(self.contradiction(used, "memory is used, and none is ever mapped"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses uses of files where none is open.
    fn agree_on_files(&self, scope: &Scope, parsed: &Text) -> Read<()> {
        if scope.opens() && scope.most.descriptors == 0 {
            let problem = "files are opened, and there are 0 descriptors";
            return Err(self.contradiction(span(&parsed.most), problem));
        }
        for (open, table) in scope.open.iter().zip(&parsed.open) {
            if open.paths.is_empty() || open.flags.is_empty() {
                let problem = "a path or flags are missing, and nothing is opened";
                return Err(self.contradiction(table.span(), problem));
            }
        }
        let Some(table) = &parsed.files else {
            return Ok(());
        };
        let FilesOffer {
            close,
            dup,
            truncate,
            truncate_paths,
            write,
            read,
            ..
        } = &scope.files;
        let accesses = !write.is_empty() || read.is_some();
        let resizes = !truncate.is_empty() && truncate_paths.is_empty();
        if (*close || *dup || resizes || accesses) && !scope.opens() {
            let problem = "descriptors are used, and none is ever opened";
            return Err(self.contradiction(table.span(), problem));
        }
        if truncate.is_empty() && !truncate_paths.is_empty() {
            let problem = "files are truncated, and no size says to what";
            return Err(self.contradiction(table.span(), problem));
        }
        let files = table.get_ref();
        if write.is_empty() && !files.write_bytes.is_empty() {
            let problem = "`write_bytes` says how much is written, and `write` nothing";
            return Err(self.contradiction(table.span(), problem));
        }
        let places = !files.offset_pages.is_empty() || !files.offset_bytes.is_empty();
        if places && !accesses {
            let problem = "offsets are given, and nothing is read or written there";
            return Err(self.contradiction(table.span(), problem));
        }
        Ok(())
    }

    fn agree_on_processes(&self, scope: &Scope, parsed: &Text) -> Read<()> {
        let Some(table) = &parsed.processes else {
            return Ok(());
        };
        let ProcessesOffer {
            vfork,
            clone,
            exec,
            exit,
            ..
        } = &scope.processes;
        let at_start = usize::from(scope.header.processes);
        // Where one can exit, there is room for another.
        let has_room = at_start < scope.most.processes || (*exit && at_start > 1);
        if (*vfork || *clone) && !has_room {
            let problem = "processes are made, and `processes` leaves no room for one";
            return Err(self.contradiction(table.span(), problem));
        }
        if *exit && at_start == 1 && !(*vfork || *clone) {
            let problem = "processes exit, and there is one, which stays";
            return Err(self.contradiction(table.span(), problem));
        }
        let processes = table.get_ref();
        let stacks = !processes.stack_pages.is_empty() || !processes.stack_bytes.is_empty();
        if stacks && exec.is_empty() {
            let problem = "stacks are given, and nothing is executed";
            return Err(self.contradiction(table.span(), problem));
        }
        Ok(())
    }
}

/// Why nothing, or not all of it, is ever mapped.
fn wrong_with_mmap(scope: &Scope, mmap: &MmapOffer) -> Option<String> {
    let opened = |path: &&Path| scope.open.iter().any(|open| open.paths.contains(path));
    let mut paths = mmap.paths.iter().flatten();
    if let Some(path) = paths.find(|path| !opened(path)) {
        return Some(format!("{:?} is mapped, and never opened", path.0));
    }
    let names_none = mmap.paths.as_ref().is_some_and(Vec::is_empty);
    let problem = if mmap.lengths.is_empty() {
        "neither `pages` nor `bytes` says how much is mapped"
    } else if mmap.protections.is_empty() || mmap.flags.is_empty() {
        "`protection` or `flags` is empty, and nothing is mapped"
    } else if names_none && !mmap.unnamed && !mmap.foreign {
        "`paths` is empty, and nothing is mapped"
    } else if mmap.foreign && scope.most.processes < 2 {
        "descriptors of other processes are mapped, and there is one process"
    } else if mmap.foreign && !scope.opens() {
        "descriptors of other processes are mapped, and none is ever opened"
    } else if mmap.unnamed && !scope.files.unnamed {
        "pipes and sockets are mapped, and never made"
    } else {
        return None;
    };
    Some(problem.to_owned())
}

/// Where a table is.
fn span<T>(table: &Option<Spanned<T>>) -> Range<usize> {
    table.as_ref().map_or(0..0, Spanned::span)
}
