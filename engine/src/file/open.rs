//! Descriptors and what they stand for: open, close, dup, pipes, sockets, unlink.

use super::{Content, File, FileSlot, Kind, Path, Runs, Sparse};
use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::flags::OpenFlags;
use crate::memory::Memory;
use crate::request::{Fd, Pid};
use alloc::string::String;

/// What descriptors stand for; several may, by dup and by inheritance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFile {
    pub target: Target,
    pub readable: bool,
    pub writable: bool,
    /// Descriptors that stand for it.
    pub references: u32,
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File(FileSlot),
    /// One end of it.
    Pipe,
    Socket,
}

impl<M: Memory> Engine<M> {
    /// Opens a file or device, making it if asked to (in `/ram` and `/disk`).
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is opened for nothing, or cut without being written; `ENOENT`;
    /// `EISDIR`, `EROFS`, `EACCES` for what cannot be written or made; `ETXTBSY` when cutting it
    /// would cut a mapping; `ENOMEM`.
    pub fn open(&mut self, pid: Pid, path: &str, flags: OpenFlags) -> Result<Fd> {
        self.caller(pid)?;
        let writable = flags.contains(OpenFlags::WRITE);
        let readable = flags.contains(OpenFlags::READ);
        if !writable && (!readable || flags.contains(OpenFlags::TRUNCATE)) {
            return Err(Errno::EINVAL);
        }
        let found = self.files.find(path);
        let truncates = match found {
            Some(slot) => {
                let file = self.files.get(slot);
                match file.kind {
                    Kind::Directory if writable || flags.contains(OpenFlags::CREATE) => {
                        return Err(Errno::EISDIR);
                    }
                    Kind::ExecuteInPlace if writable => return Err(Errno::EROFS),
                    Kind::Mtd if writable => return Err(Errno::EACCES),
                    _ => {}
                }
                let truncates = flags.contains(OpenFlags::TRUNCATE) && !file.is_device();
                if truncates {
                    self.may_shrink(slot, 0)?;
                }
                truncates
            }
            None => false,
        };
        let kind = match found {
            Some(slot) => self.files.get(slot).kind,
            None => made_kind(path, flags)?,
        };
        let target = Target::File(found.unwrap_or(FileSlot(0)));
        let mut open = OpenFile {
            target,
            readable,
            writable,
            references: 1,
        };
        self.reserve_descriptor(pid)?;
        self.reserve_open_file()?;
        let slot = match found {
            Some(slot) => slot,
            None => self.make_file(path, kind)?,
        };
        if truncates {
            self.shrink(slot, 0);
        }
        open.target = Target::File(slot);
        self.files.get_mut(slot).opens += 1;
        let index = self.open_files.insert(open);
        Ok(self.add_descriptor(pid, index))
    }

    /// Makes a pipe: its reading and its writing end.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn pipe(&mut self, pid: Pid) -> Result<(Fd, Fd)> {
        let reading = self.open_unnamed(pid, Target::Pipe, true, false)?;
        match self.open_unnamed(pid, Target::Pipe, false, true) {
            Ok(writing) => Ok((reading, writing)),
            Err(error) => {
                self.close(pid, reading)?;
                Err(error)
            }
        }
    }

    /// Makes a socket.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn socket(&mut self, pid: Pid) -> Result<Fd> {
        self.open_unnamed(pid, Target::Socket, true, true)
    }

    fn open_unnamed(
        &mut self,
        pid: Pid,
        target: Target,
        readable: bool,
        writable: bool,
    ) -> Result<Fd> {
        self.caller(pid)?;
        self.reserve_descriptor(pid)?;
        self.reserve_open_file()?;
        let index = self.open_files.insert(OpenFile {
            target,
            readable,
            writable,
            references: 1,
        });
        Ok(self.add_descriptor(pid, index))
    }

    /// Makes another descriptor for the same open file.
    ///
    /// # Errors
    ///
    /// `EBADF`, `ENOMEM`.
    pub fn dup(&mut self, pid: Pid, fd: Fd) -> Result<Fd> {
        let index = self.caller(pid)?.open_file(fd)?;
        self.reserve_descriptor(pid)?;
        self.open_files[index].references += 1;
        Ok(self.add_descriptor(pid, index))
    }

    /// Closes a descriptor.
    ///
    /// # Errors
    ///
    /// `EBADF`.
    pub fn close(&mut self, pid: Pid, fd: Fd) -> Result<()> {
        let index = self.caller(pid)?.open_file(fd)?;
        self.process_mut(pid)?.descriptors[fd.0 as usize] = None;
        self.release_open_file(index);
        Ok(())
    }

    /// Takes away a file's name. The file stays while it is open or mapped.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `EISDIR`, `EROFS`, `EACCES`.
    pub fn unlink(&mut self, pid: Pid, path: &str) -> Result<()> {
        self.caller(pid)?;
        let slot = self.files.find(path).ok_or(Errno::ENOENT)?;
        let file = self.files.get(slot);
        match file.kind {
            Kind::Directory => return Err(Errno::EISDIR),
            Kind::ExecuteInPlace => return Err(Errno::EROFS),
            _ if file.is_device() => return Err(Errno::EACCES),
            _ => {}
        }
        self.files.unlink(slot);
        self.release_file(slot);
        Ok(())
    }

    /// One descriptor less stands for an open file.
    pub(crate) fn release_open_file(&mut self, index: u32) {
        let open = &mut self.open_files[index];
        open.references -= 1;
        if open.references > 0 {
            return;
        }
        if let Some(OpenFile {
            target: Target::File(slot),
            ..
        }) = self.open_files.remove(index)
        {
            self.files.get_mut(slot).opens -= 1;
            self.release_file(slot);
        }
    }

    /// What a descriptor stands for.
    pub(crate) fn opened(&self, pid: Pid, fd: Fd) -> Result<&OpenFile> {
        let index = self.caller(pid)?.open_file(fd)?;
        Ok(&self.open_files[index])
    }

    fn reserve_open_file(&mut self) -> Result<()> {
        self.budget.spend()?;
        self.open_files.reserve()
    }

    fn reserve_descriptor(&mut self, pid: Pid) -> Result<()> {
        self.budget.spend()?;
        let descriptors = &mut self.process_mut(pid)?.descriptors;
        descriptors.try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    /// Gives an open file the lowest descriptor that is free. Reserve first.
    fn add_descriptor(&mut self, pid: Pid, index: u32) -> Fd {
        let Ok(process) = self.process_mut(pid) else {
            return Fd::default();
        };
        let descriptors = &mut process.descriptors;
        let free = descriptors.iter().position(Option::is_none);
        let free = free.unwrap_or_else(|| {
            descriptors.push(None);
            descriptors.len() - 1
        });
        descriptors[free] = Some(index);
        Fd(free as u32)
    }

    fn make_file(&mut self, path: &str, kind: Kind) -> Result<FileSlot> {
        self.budget.spend()?;
        let mut name = String::new();
        name.try_reserve_exact(path.len())
            .map_err(|_| Errno::ENOMEM)?;
        name.push_str(path);
        self.files.reserve()?;
        let content = match kind {
            Kind::MemoryBacked => Content::Runs(Runs::default()),
            _ => Content::Sparse(Sparse::default()),
        };
        let number = self.files.next_number();
        let file = File::new(number, kind, Path::Made(name), 0, content);
        Ok(self.files.insert(file))
    }
}

/// What kind of file would be made under a path, if one may.
fn made_kind(path: &str, flags: OpenFlags) -> Result<Kind> {
    let (directory, name) = path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .ok_or(Errno::ENOENT)?;
    if !flags.contains(OpenFlags::CREATE) || name.is_empty() || name.contains('/') {
        return Err(Errno::ENOENT);
    }
    match directory {
        "ram" => Ok(Kind::MemoryBacked),
        "disk" => Ok(Kind::Regular),
        "rom" | "dev" => Err(Errno::EACCES),
        _ => Err(Errno::ENOENT),
    }
}
