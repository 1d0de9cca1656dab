//! Whether the parts of a scope agree: what can never happen is a mistake.

use super::read::{Place, Read};
use super::text::AccessText;
use super::{FilesOffer, ProcessesOffer, Scope};
use nommu_model::op::{OpenFlags, Path};

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
            && !processes
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
        let others = [&self.files.unlink, &self.processes.exec];
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

impl Place<'_> {
    /// Refuses what can never happen.
    pub(super) fn agree(&self, scope: &Scope, access: &AccessText) -> Read<()> {
        let wants_spots = scope.access.load
            || !scope.access.store.is_empty()
            || !scope.access.futex.is_empty()
            || scope.processes.ptrace;
        if wants_spots && scope.access.at.is_empty() {
            return Err(self.contradiction("[access]", "memory is used, and `at` says nowhere"));
        }
        if !access.at.is_empty() && !wants_spots {
            return Err(
                self.contradiction("[access]", "`at` says where, and nothing is done there")
            );
        }
        let opened = |path: &Path| scope.open.iter().any(|open| open.paths.contains(path));
        for mmap in &scope.mmap {
            for path in mmap.paths.iter().flatten() {
                if !opened(path) {
                    let problem = format!("{:?} is mapped, and never opened", path.0);
                    return Err(self.contradiction("[[mmap]]", &problem));
                }
            }
            if mmap.lengths.is_empty() {
                let problem = "neither `pages` nor `bytes` says how much is mapped";
                return Err(self.contradiction("[[mmap]]", problem));
            }
            if mmap.protections.is_empty() || mmap.flags.is_empty() {
                let problem = "`protection` or `flags` is empty, and nothing is mapped";
                return Err(self.contradiction("[[mmap]]", problem));
            }
            if mmap.foreign && scope.most.processes < 2 {
                let problem = "descriptors of other processes are mapped, and there is one process";
                return Err(self.contradiction("[[mmap]]", problem));
            }
            if mmap.unnamed && !scope.files.unnamed {
                let problem = "pipes and sockets are mapped, and never made";
                return Err(self.contradiction("[[mmap]]", problem));
            }
        }
        self.agree_on_memory(scope)?;
        self.agree_on_files(scope)?;
        let makes = scope.processes.vfork || scope.processes.clone;
        if makes && scope.most.processes == usize::from(scope.header.processes) {
            let problem = "processes are made, and `processes` leaves no room for one";
            return Err(self.contradiction("[processes]", problem));
        }
        Ok(())
    }

    /// Refuses uses of memory where there is none.
    fn agree_on_memory(&self, scope: &Scope) -> Read<()> {
        let maps = !scope.mmap.is_empty() || scope.segments.is_some();
        if maps && scope.most.mappings == 0 {
            let problem = "memory is mapped, and there are 0 mappings";
            return Err(self.contradiction("[most]", problem));
        }
        if scope.segments.is_some() && scope.most.segments == 0 {
            let problem = "segments are made, and there are 0";
            return Err(self.contradiction("[most]", problem));
        }
        let executes = !scope.processes.exec.is_empty();
        let uses = [
            ("munmap", !scope.munmap.is_empty()),
            ("[mremap]", scope.mremap.is_some()),
            ("[access]", !scope.access.at.is_empty()),
        ];
        for (table, used) in uses {
            if used && !maps && !executes {
                let problem = "memory is used, and none is ever mapped";
                return Err(self.contradiction(table, problem));
            }
        }
        Ok(())
    }

    /// Refuses uses of files where none is open.
    fn agree_on_files(&self, scope: &Scope) -> Read<()> {
        let opens = !scope.open.is_empty() || scope.files.unnamed;
        if opens && scope.most.descriptors == 0 {
            let problem = "files are opened, and there are 0 descriptors";
            return Err(self.contradiction("[most]", problem));
        }
        let FilesOffer {
            close,
            dup,
            truncate,
            write,
            read,
            ..
        } = &scope.files;
        let uses = *close || *dup || !truncate.is_empty() || !write.is_empty() || read.is_some();
        if uses && !opens {
            let problem = "descriptors are used, and none is ever opened";
            return Err(self.contradiction("[files]", problem));
        }
        for open in &scope.open {
            if open.paths.is_empty() || open.flags.is_empty() {
                let problem = "`paths` or `flags` is empty, and nothing is opened";
                return Err(self.contradiction("[[open]]", problem));
            }
        }
        Ok(())
    }
}
