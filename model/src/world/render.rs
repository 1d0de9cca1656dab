//! A world as text, to be compared line by line.

use super::World;
use super::file::Kind;
use super::page::Page;
use super::region::Origin;
use super::space::{Backing, Mapping};
use crate::observation::Object;
use crate::op::Protection;
use std::fmt::Write;

impl World {
    /// Every fact of this world as a line of text, in a fixed order. Addresses in the window
    /// are written from its start (`w+0x3000`), so that two worlds that differ in where their
    /// memory is read the same.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "trim {}", self.config.trim)?;
        self.write_processes(text)?;
        self.write_regions(text)?;
        self.write_files(text)?;
        self.write_segments(text)?;
        for block in self.memory.free_blocks() {
            writeln!(
                text,
                "free {} order {}",
                self.place_name(block.start),
                block.order
            )?;
        }
        Ok(())
    }

    fn write_processes(&self, text: &mut String) -> std::fmt::Result {
        for (number, state) in self.processes.iter().enumerate() {
            if !state.alive {
                writeln!(text, "p{number} dead")?;
                continue;
            }
            write!(text, "p{number} alive, space {}", state.space.0)?;
            if let Some(child) = state.waits_for {
                write!(text, ", waits for p{}", child.0)?;
            }
            if let Some(tracer) = state.tracer {
                write!(text, ", traced by p{}", tracer.0)?;
            }
            writeln!(text)?;
            for (name, open) in state.descriptors.iter() {
                let open = &self.open_files[usize::from(open.0)];
                let mode = match (open.readable, open.writable) {
                    (true, true) => "rw",
                    (true, false) => "r",
                    (false, true) => "w",
                    (false, false) => "-",
                };
                writeln!(text, "p{number} f{} {:?} {mode}", name.0, open.target)?;
            }
        }
        for (number, space) in self.spaces.iter().enumerate() {
            for mapping in &space.mappings {
                writeln!(text, "space {number} maps {}", self.mapping_words(mapping))?;
            }
        }
        Ok(())
    }

    fn mapping_words(&self, mapping: &Mapping) -> String {
        let named = self
            .names
            .mappings
            .iter()
            .rposition(|&at| at == mapping.start);
        let name = named.map_or(String::new(), |name| format!(" m{name}"));
        format!(
            "{}..{}{name} {} {} {} {}{}",
            self.place_name(mapping.start),
            self.place_name(mapping.end),
            letters(mapping.protection),
            if mapping.shared { "shared" } else { "private" },
            match mapping.object {
                None => "anonymous".to_owned(),
                Some(Object::File(number)) => format!("file {number}+{:#x}", mapping.offset),
                Some(Object::Segment(number)) => format!("segment {number}"),
            },
            match mapping.backing {
                Backing::Region(_) => "in memory of its own",
                Backing::Direct => "direct",
            },
            if mapping.shareable { ", shareable" } else { "" },
        )
    }

    fn write_regions(&self, text: &mut String) -> std::fmt::Result {
        for region in self.regions.iter() {
            let start = self.place_name(region.start);
            writeln!(
                text,
                "region {start}..{} kept to {} {} {} users {}",
                self.place_name(region.end),
                self.place_name(region.top),
                letters(region.protection),
                match region.origin {
                    Origin::Anonymous => "anonymous".to_owned(),
                    Origin::Copy {
                        file,
                        offset,
                        reusable,
                    } => {
                        let reusable = if reusable { ", to be re-used" } else { "" };
                        format!("copy of file {}+{offset:#x}{reusable}", file.0)
                    }
                },
                region.users,
            )?;
            let used = (region.end - region.start) >> self.page_shift();
            for (index, page) in region.pages.iter().take(used as usize).enumerate() {
                writeln!(
                    text,
                    "region {start} page {index} holds {}",
                    page_words(page)
                )?;
            }
        }
        Ok(())
    }

    fn write_files(&self, text: &mut String) -> std::fmt::Result {
        for (number, file) in self.files.iter().enumerate() {
            if file.dead {
                writeln!(text, "file {number} gone")?;
                continue;
            }
            let path = file.path.as_ref().map_or("(no name)", |path| &path.0);
            let kind = kind_name(file.kind);
            write!(text, "file {number} {path} {kind} size {:#x}", file.size)?;
            if let Some(memory) = file.memory {
                write!(text, " at {}", self.place_name(memory))?;
            }
            writeln!(text)?;
            if let Some(driver) = file.driver {
                writeln!(
                    text,
                    "file {number} driver {} area={:?} mmap={:?} read={} busy={} asked {} {} {}",
                    driver
                        .capabilities
                        .map_or("default".to_owned(), |can| format!("{can:?}")),
                    driver.area,
                    driver.mmap,
                    driver.readable,
                    driver.busy,
                    driver.area_calls,
                    driver.mmap_calls,
                    driver.close_calls,
                )?;
            }
            for page in &file.pages {
                write!(text, "file {number} page {}", page.index)?;
                if let Some(address) = page.address {
                    write!(text, " at {}", self.place_name(address))?;
                }
                writeln!(text, " holds {}", page_words(&page.contents))?;
            }
        }
        Ok(())
    }

    fn write_segments(&self, text: &mut String) -> std::fmt::Result {
        for (number, segment) in self.segments.iter().enumerate() {
            if segment.dead {
                writeln!(text, "segment {number} gone")?;
                continue;
            }
            let key = segment.key.map_or("none".to_owned(), |key| key.to_string());
            let removed = if segment.removed { ", removed" } else { "" };
            let start = segment
                .start
                .map_or("?".to_owned(), |start| self.place_name(start));
            writeln!(
                text,
                "segment {number} key {key} size {:#x} at {start} attached {}{removed}",
                segment.size, segment.attached,
            )?;
            for (index, page) in segment.pages.iter().enumerate() {
                writeln!(
                    text,
                    "segment {number} page {index} holds {}",
                    page_words(page)
                )?;
            }
        }
        Ok(())
    }

    /// An address, from the window's start where it is in the window or ends it.
    fn place_name(&self, address: u64) -> String {
        let offset = self.config.window.and_then(|window| {
            let offset = address.checked_sub(window.start)?;
            (offset <= window.pages << self.page_shift()).then_some(offset)
        });
        match offset {
            Some(offset) => format!("w+{offset:#x}"),
            None => format!("{address:#x}"),
        }
    }
}

fn letters(protection: Protection) -> String {
    [
        (Protection::READ, 'r'),
        (Protection::WRITE, 'w'),
        (Protection::EXEC, 'x'),
    ]
    .map(|(bit, letter)| {
        if protection.contains(bit) {
            letter
        } else {
            '-'
        }
    })
    .iter()
    .collect()
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "directory",
        Kind::Regular => "regular",
        Kind::MemoryBacked => "memory-backed",
        Kind::ExecuteInPlace => "execute-in-place",
        Kind::Block => "block device",
        Kind::MemoryBlock => "memory-backed block device",
        Kind::Character => "character device",
        Kind::Mtd => "flash",
    }
}

/// Runs of equal bytes where they are few, or a digest.
fn page_words(page: &Page) -> String {
    const MOST_RUNS: usize = 8;
    let Page::Known(bytes) = page else {
        return "anything".to_owned();
    };
    let runs: Vec<_> = bytes.chunk_by(|a, b| a == b).take(MOST_RUNS + 1).collect();
    if runs.len() <= MOST_RUNS {
        let runs: Vec<_> = runs
            .iter()
            .map(|run| format!("{:02x}*{}", run[0], run.len()))
            .collect();
        return runs.join(" ");
    }
    format!("{} bytes, digest {:016x}", bytes.len(), digest(bytes))
}

/// FNV-1a: stable, and good enough to tell two pages apart in a text.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
