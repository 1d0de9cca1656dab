//! What calls that take a path or change a file have in common.

use super::{Answer, Refusal, refuse};
use crate::observation::{FileView, Object, Sight};
use crate::op::Path;
use crate::world::World;
use crate::world::file::{FileNumber, FilePage, Kind};
use crate::world::memory::Owner;
use crate::world::page::Page;
use crate::world::space::{Backing, Mapping};

/// No file is larger: a limit on what a world costs.
pub(super) const LARGEST_FILE: u64 = 1 << 30;

/// The directory that a path is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directory {
    Ram,
    Disk,
    Rom,
    Devices,
    Missing,
}

impl Directory {
    pub(super) fn of(path: &Path) -> Self {
        let first = path
            .0
            .strip_prefix('/')
            .and_then(|path| path.split('/').next());
        match first {
            Some("ram") => Directory::Ram,
            Some("disk") => Directory::Disk,
            Some("rom") => Directory::Rom,
            Some("dev") => Directory::Devices,
            _ => Directory::Missing,
        }
    }

    /// What kind of file is made there.
    pub(super) fn makes(self) -> Option<Kind> {
        match self {
            Directory::Ram => Some(Kind::MemoryBacked),
            Directory::Disk => Some(Kind::Regular),
            Directory::Rom | Directory::Devices | Directory::Missing => None,
        }
    }
}

impl World {
    /// The file that a path names.
    pub(super) fn find_file(&self, path: &Path) -> Option<FileNumber> {
        (0..)
            .zip(self.files.iter())
            .find(|(_, file)| file.path.as_ref() == Some(path))
            .map(|(number, _)| FileNumber(number))
    }

    /// What the implementation shows of a file.
    pub(super) fn shown_file<'a>(
        &self,
        number: FileNumber,
        answer: &Answer<'a>,
    ) -> Option<&'a FileView> {
        let shows = answer.sight.contains(Sight::FILE_PAGES);
        let mut files = answer.seen.files.iter().filter(|_| shows);
        files.find(|file| file.number == number.0)
    }

    /// Adds a page to a memory-backed file, at the address that the implementation shows it
    /// at; that page has to have been free.
    pub(super) fn add_file_page(
        &mut self,
        number: FileNumber,
        index: u64,
        contents: Page,
        rule: &'static str,
        answer: &Answer<'_>,
    ) -> Result<(), Refusal> {
        let place = match self.file(number).place(index) {
            Ok(_) => return Ok(()),
            Err(place) => place,
        };
        let mut address = None;
        if self.file(number).kind == Kind::MemoryBacked
            && let Some(shown) = self.shown_file(number, answer)
        {
            let Some(shown) = shown.page(index) else {
                return Err(refuse(
                    &[rule],
                    format!("page {index} of file {} is there", number.0),
                    "a hole",
                ));
            };
            if !shown.is_multiple_of(self.page_size()) || self.owner(shown) != Owner::Free {
                return Err(refuse(
                    &[rule, "one-owner"],
                    format!(
                        "page {index} of file {} is at a page that was free",
                        number.0
                    ),
                    format!(
                        "it is at {shown:#x}, which belongs to {}",
                        self.owner(shown).name()
                    ),
                ));
            }
            self.memory
                .give_page(shown, Owner::File(number, index as u32));
            address = Some(shown);
        }
        let page = FilePage {
            index: index as u32,
            contents,
            address,
        };
        self.files[usize::from(number.0)].pages.insert(place, page);
        Ok(())
    }

    /// Direct mappings of a file that show any byte from an offset on.
    pub(super) fn direct_mappings(
        &self,
        number: FileNumber,
        from: u64,
    ) -> impl Iterator<Item = &Mapping> {
        let object = Some(Object::File(number.0));
        self.spaces
            .iter()
            .flat_map(|space| &space.mappings)
            .filter(move |mapping| {
                mapping.object == object
                    && mapping.backing == Backing::Direct
                    && mapping
                        .offset
                        .saturating_add(mapping.end.wrapping_sub(mapping.start))
                        > from
            })
    }

    /// Bytes between a file's end and the end of its last page become part of it when it
    /// grows: zeroes, or what a mapping left there. The document says neither.
    pub(super) fn expose_tail(&mut self, number: FileNumber, new_size: u64, answer: &Answer<'_>) {
        let size = self.file(number).size;
        let page_size = self.page_size();
        let from = (size & (page_size - 1)) as usize;
        if new_size <= size || from == 0 {
            return;
        }
        let index = size >> self.page_shift();
        let Ok(place) = self.file(number).place(index) else {
            return;
        };
        let page = &self.file(number).pages[place];
        let (known, address) = (page.contents.clone(), page.address);
        let Page::Known(known) = known else { return };
        if known[from..].iter().all(|&byte| byte == 0) {
            return;
        }
        let mut shown = vec![0; page_size as usize];
        let offset = index << self.page_shift();
        let can_show = answer.sight.contains(Sight::CONTENTS)
            && (address.is_some_and(|address| answer.contents.memory(address, &mut shown))
                || answer.contents.file(number.0, offset, &mut shown));
        let contents = match can_show {
            false => Page::Unknown,
            true => {
                let mut bytes = known.to_vec();
                for (byte, shown) in bytes[from..].iter_mut().zip(&shown[from..]) {
                    if byte != shown {
                        *byte = 0;
                    }
                }
                Page::Known(bytes.into())
            }
        };
        self.files[usize::from(number.0)].pages[place].contents = contents;
    }
}
