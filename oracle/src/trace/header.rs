//! The system that a trace starts from.

use nommu_model::world::config::{Config, Window};

/// The readings of the contract that a trace can be judged by.
pub const PROFILES: &[&str] = &["documented", "linux-6.12", "linux-6.1"];

/// The header's `#! nommu-trace v1` line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// `page=`: bytes of a page.
    pub page_size: u64,
    /// `pages=`: how many pages there are to map.
    pub pages: u64,
    /// `trim=`: the trim watermark in pages at the start.
    pub trim: u64,
    /// `uninitialized=`: whether uninitialised memory is configured.
    pub uninitialized: bool,
    /// `profile=`: one of [`PROFILES`].
    pub profile: String,
    /// `processes=`: how many there are at the start.
    pub processes: u16,
    /// `failure=`: which allocation, counted from 1, is made to fail; 0 for none.
    pub failure: u64,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            page_size: 4096,
            pages: 64,
            trim: 1,
            uninitialized: false,
            profile: PROFILES[0].into(),
            processes: 1,
            failure: 0,
        }
    }
}

impl Header {
    /// Bytes of a page at most.
    pub const PAGE_SIZE_LIMIT: u64 = 1 << 16;
    /// Bytes of all pages, their number rounded up to a power of two, at most.
    pub const WINDOW_LIMIT: u64 = 1 << 30;
    /// Processes at the start at most.
    pub const PROCESS_LIMIT: u16 = 256;
    /// Where the pages begin: aligned to the largest window there may be.
    pub const WINDOW_START: u64 = Self::WINDOW_LIMIT;

    /// As the model takes it. `deviations` are what the profile accepts besides the document.
    pub fn config(&self, mut deviations: Vec<String>) -> Config {
        deviations.sort();
        Config {
            page_size: self.page_size,
            window: Some(Window {
                start: Self::WINDOW_START,
                pages: self.pages,
            }),
            trim: self.trim,
            uninitialized: self.uninitialized,
            processes: self.processes,
            deviations,
        }
    }

    /// Whether there can be such a system.
    pub fn fits(&self) -> bool {
        self.problem().is_none()
    }

    /// What is wrong with it, if anything is: what was found, and what was expected.
    pub fn problem(&self) -> Option<String> {
        let Header {
            page_size,
            pages,
            processes,
            ..
        } = *self;
        if !is_page_size(page_size) {
            return Some(format!(
                "found a page of {page_size} bytes, expected a power of two from 16 to 65536"
            ));
        }
        if pages == 0 {
            return Some("found 0 pages, expected a number of pages above 0".into());
        }
        if !(1..=Self::PROCESS_LIMIT).contains(&processes) {
            return Some(format!(
                "found {processes} processes, expected 1 to {}",
                Self::PROCESS_LIMIT
            ));
        }
        if !PROFILES.contains(&self.profile.as_str()) {
            return Some(format!(
                "found profile `{}`, expected one that exists",
                self.profile
            ));
        }
        let fits = (pages.checked_next_power_of_two())
            .and_then(|pages| pages.checked_mul(page_size))
            .is_some_and(|bytes| bytes <= Self::WINDOW_LIMIT);
        (!fits).then(|| {
            format!(
                "found {pages} pages of {page_size:#x} bytes, expected at most {:#x} bytes of memory",
                Self::WINDOW_LIMIT
            )
        })
    }
}

/// Whether pages may have so many bytes.
pub fn is_page_size(bytes: u64) -> bool {
    bytes.is_power_of_two() && (16..=Header::PAGE_SIZE_LIMIT).contains(&bytes)
}

impl std::fmt::Display for Header {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "#! nommu-trace v1 page={} pages={} trim={} uninitialized={} profile={}",
            self.page_size,
            self.pages,
            self.trim,
            if self.uninitialized { "yes" } else { "no" },
            self.profile
        )?;
        if self.processes != 1 {
            write!(formatter, " processes={}", self.processes)?;
        }
        if self.failure != 0 {
            write!(formatter, " failure={}", self.failure)?;
        }
        Ok(())
    }
}
