//! Holds what a target shows against what a world says.

use super::World;
use super::file::{File, Kind};
use super::region::{Origin, Region};
use super::space::Mapping;
use crate::observation::{
    DriverView, FileView, FreeBlock, MappingView, Object, Observation, RegionView, SegmentView,
    Sight,
};
use crate::step::RuleId;

/// A part of the state that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which part, such as `mappings of p0`.
    pub component: String,
    /// What it has to be.
    pub expected: String,
    /// What the target shows.
    pub seen: String,
    /// The rules that demand it, as far as the state alone tells: the rules of the step say it
    /// more precisely.
    pub rules: Vec<RuleId>,
}

/// What a mismatch of free pages is called.
pub const FREE_PAGES: &str = "free pages";

fn mismatch(
    component: impl Into<String>,
    expected: impl Into<String>,
    seen: impl Into<String>,
    rules: &[&'static str],
) -> Mismatch {
    Mismatch {
        component: component.into(),
        expected: expected.into(),
        seen: seen.into(),
        rules: rules.iter().map(|rule| RuleId(rule)).collect(),
    }
}

impl World {
    /// Compares everything that a target shows with this world. Allocates nothing where they
    /// agree.
    ///
    /// # Errors
    ///
    /// What differs, a part each.
    pub fn compare(&self, seen: &Observation, sight: Sight) -> Result<(), Vec<Mismatch>> {
        let mut found = Vec::new();
        if sight.contains(Sight::MAPPINGS) {
            self.compare_processes(seen, &mut found);
        }
        if sight.contains(Sight::REGIONS) {
            self.compare_regions(seen, sight, &mut found);
        }
        if sight.contains(Sight::FREE_BLOCKS) && self.config.window.is_some() {
            self.compare_free(seen, &mut found);
        }
        if sight.contains(Sight::COPIED_PAGES) {
            let expected = self.copied_pages();
            if expected != seen.copied_pages {
                found.push(mismatch(
                    "pages of regions",
                    expected.to_string(),
                    seen.copied_pages.to_string(),
                    &["pages-conserved"],
                ));
            }
        }
        if sight.contains(Sight::FILES) {
            self.compare_files(seen, sight, &mut found);
        }
        if sight.contains(Sight::SEGMENTS) {
            self.compare_segments(seen, &mut found);
        }
        if sight.contains(Sight::DRIVERS) {
            self.compare_drivers(seen, &mut found);
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Pages allocated for anonymous memory and private copies, slack included.
    pub fn copied_pages(&self) -> u64 {
        let bytes: u64 = self
            .regions
            .iter()
            .map(|region| region.top - region.start)
            .sum();
        bytes >> self.page_shift()
    }

    fn compare_processes(&self, seen: &Observation, found: &mut Vec<Mismatch>) {
        let mut shown = &seen.processes[..];
        for (number, state) in (0..).zip(self.processes.iter()) {
            let here = next_if(&mut shown, |shown| shown.process.0 == number);
            match (state.alive, here) {
                (false, None) => {}
                (true, Some(shown)) => {
                    let space = &self.spaces[usize::from(state.space.0)];
                    if let Err(Listed { expected, seen }) =
                        mappings(&space.mappings, &shown.mappings)
                    {
                        let rules = &["mappings-as-asked"];
                        found.push(mismatch(
                            format!("mappings of p{number}"),
                            expected,
                            seen,
                            rules,
                        ));
                    }
                }
                (alive, _) => {
                    let words = |alive| if alive { "alive" } else { "not alive" };
                    let rules = &["exit-releases", "clone-shares-memory"];
                    found.push(mismatch(
                        format!("p{number}"),
                        words(alive),
                        words(!alive),
                        rules,
                    ));
                }
            }
        }
        if let Some(extra) = shown.first() {
            let component = format!("p{}", extra.process.0);
            found.push(mismatch(
                component,
                "no such process",
                "alive",
                &["clone-shares-memory", "others-untouched"],
            ));
        }
    }

    fn compare_regions(&self, seen: &Observation, sight: Sight, found: &mut Vec<Mismatch>) {
        let records = sight.contains(Sight::REGION_RECORDS);
        let mut shown = seen.regions.iter().filter(|region| region.copy).peekable();
        for region in self.regions.iter() {
            // What is shown before this one belongs to nothing.
            while let Some(extra) = shown.next_if(|shown| shown.start < region.start) {
                found.push(extra_region(extra));
            }
            let Some(shown) = shown.next_if(|shown| shown.start == region.start) else {
                let rules = &["mappings-as-asked", "others-untouched"];
                found.push(mismatch(
                    "regions",
                    region_line(region),
                    "it is not there",
                    rules,
                ));
                continue;
            };
            let expected = region_view(region);
            let mut adapted = *shown;
            if !records {
                (adapted.top, adapted.users) = (expected.top, expected.users);
            }
            if adapted != expected {
                let rules = self.blame_region(&expected, &adapted);
                found.push(mismatch(
                    "regions",
                    region_line(region),
                    listed_line(shown),
                    rules,
                ));
            }
        }
        found.extend(shown.map(extra_region));
    }

    fn blame_region(&self, expected: &RegionView, seen: &RegionView) -> &'static [&'static str] {
        if (
            expected.end,
            expected.protection,
            expected.object,
            expected.offset,
        ) != (seen.end, seen.protection, seen.object, seen.offset)
        {
            return &["mappings-as-asked"];
        }
        if expected.users != seen.users {
            return &["region-users"];
        }
        // Lines 277-283.
        match self.config.trim {
            0 => &["trim-disabled", "rounds-to-power-of-two"],
            1 => &["trim-default-aggressive", "trim-watermark"],
            _ => &["trim-watermark", "rounds-to-power-of-two"],
        }
    }

    fn compare_free(&self, seen: &Observation, found: &mut Vec<Mismatch>) {
        if self.memory.free_blocks().eq(seen.free.iter().copied()) {
            return;
        }
        let expected: Vec<FreeBlock> = self.memory.free_blocks().collect();
        let (ours, theirs) = (self.pages_of(&expected), self.pages_of(&seen.free));
        let lost = ours.iter().find(|page| theirs.binary_search(page).is_err());
        let gained = theirs.iter().find(|page| ours.binary_search(page).is_err());
        let twice = theirs.windows(2).find(|pair| pair[0] == pair[1]);
        let component = FREE_PAGES;
        if let Some(pair) = twice {
            let page = format!("{:#x} once", pair[0]);
            found.push(mismatch(
                component,
                page,
                "in two free blocks",
                &["one-owner"],
            ));
        }
        if let Some(&page) = gained {
            let owner = self.owner(page).name();
            let expected = format!("{page:#x} belongs to {owner}");
            found.push(mismatch(component, expected, "it is free", &["one-owner"]));
        }
        if let Some(page) = lost {
            let rules = &["munmap-releases", "exit-releases", "shrink-frees-pages"];
            let count = ours.len();
            let expected = format!("{count} free pages, {page:#x} among them");
            let seen = format!("{} free pages, without it", theirs.len());
            found.push(mismatch(component, expected, seen, rules));
        }
        if twice.is_none() && gained.is_none() && lost.is_none() {
            let differs = expected
                .iter()
                .zip(&seen.free)
                .find(|(ours, theirs)| ours != theirs);
            let words = |block: Option<&FreeBlock>| match block {
                Some(block) => format!("a block of order {} at {:#x}", block.order, block.start),
                None => "no more blocks".to_owned(),
            };
            let (ours, theirs) = match differs {
                Some((ours, theirs)) => (words(Some(ours)), words(Some(theirs))),
                None => {
                    let least = expected.len().min(seen.free.len());
                    (words(expected.get(least)), words(seen.free.get(least)))
                }
            };
            found.push(mismatch(
                "free blocks",
                ours,
                theirs,
                &["power-of-two-granule", "out-of-memory-justified"],
            ));
        }
    }

    fn pages_of(&self, blocks: &[FreeBlock]) -> Vec<u64> {
        let pages = |block: &FreeBlock| {
            let count = 1_u64
                .checked_shl(block.order.into())
                .unwrap_or(0)
                .min(1 << 24);
            let (start, shift) = (block.start, self.page_shift());
            (0..count).map(move |page| start.wrapping_add(page << shift))
        };
        let mut pages: Vec<u64> = blocks.iter().flat_map(pages).collect();
        pages.sort_unstable();
        pages
    }

    fn compare_files(&self, seen: &Observation, sight: Sight, found: &mut Vec<Mismatch>) {
        let shows_pages = sight.contains(Sight::FILE_PAGES);
        let mut shown = &seen.files[..];
        for (number, file) in (0..).zip(self.files.iter()) {
            let component = || format!("file {number}");
            match (
                !file.dead,
                next_if(&mut shown, |shown| shown.number == number),
            ) {
                (false, None) => {}
                (true, Some(shown)) => {
                    if file.size != shown.size {
                        let rules = &["file-write", "others-untouched"];
                        let (ours, theirs) = (size(file.size), size(shown.size));
                        found.push(mismatch(component(), ours, theirs, rules));
                    }
                    if shows_pages && !same_pages(file, shown) {
                        found.push(self.blame_pages(number, shown));
                    }
                }
                (true, None) => {
                    let rules = &["file-errors", "others-untouched"];
                    found.push(mismatch(component(), "it is there", "it is not", rules));
                }
                (false, Some(_)) => {
                    let rules = &["exit-releases", "munmap-releases", "file-errors"];
                    let expected = "gone with its last name, descriptor and mapping";
                    found.push(mismatch(component(), expected, "it is there", rules));
                }
            }
        }
        if let Some(extra) = shown.first() {
            let component = format!("file {}", extra.number);
            found.push(mismatch(
                component,
                "no such file",
                "it is there",
                &["file-errors"],
            ));
        }
    }

    fn blame_pages(&self, number: u16, shown: &FileView) -> Mismatch {
        let file = &self.files[usize::from(number)];
        let words = |address: Option<u64>| match address {
            Some(address) => format!("{address:#x}"),
            None => "a hole".to_owned(),
        };
        let ours = |index| file.page(index).and_then(|page| page.address);
        let theirs = |index| shown.page(index);
        let index = file
            .pages
            .iter()
            .map(|page| page.index)
            .chain(shown.pages.iter().map(|page| page.index))
            .map(u64::from)
            .find(|&index| ours(index) != theirs(index))
            .unwrap_or(0);
        mismatch(
            format!("page {index} of file {number}"),
            words(ours(index)),
            words(theirs(index)),
            &["others-untouched", "shrink-frees-pages", "file-write"],
        )
    }

    fn compare_segments(&self, seen: &Observation, found: &mut Vec<Mismatch>) {
        let mut shown = &seen.segments[..];
        let words = |view: &SegmentView| {
            let removed = if view.removed { ", removed" } else { "" };
            format!(
                "size {:#x} at {:#x}, {} attached{removed}",
                view.size, view.start, view.attached
            )
        };
        for (number, segment) in (0..).zip(self.segments.iter()) {
            let here = next_if(&mut shown, |shown| shown.number == number);
            if segment.dead && here.is_none() {
                continue;
            }
            let expected = (!segment.dead).then(|| SegmentView {
                number,
                size: segment.size,
                attached: segment.attached,
                removed: segment.removed,
                start: segment.start.or(here.map(|here| here.start)).unwrap_or(0),
            });
            if expected.as_ref() != here {
                let none = || "gone".to_owned();
                let component = format!("segment {number}");
                let ours = expected.as_ref().map_or_else(none, words);
                let theirs = here.map_or_else(none, words);
                found.push(mismatch(component, ours, theirs, &["sysv-shared-memory"]));
            }
        }
        if let Some(extra) = shown.first() {
            let component = format!("segment {}", extra.number);
            found.push(mismatch(
                component,
                "no such segment",
                words(extra),
                &["shm-errors"],
            ));
        }
    }

    fn compare_drivers(&self, seen: &Observation, found: &mut Vec<Mismatch>) {
        let expected = self.driver_views();
        if expected.clone().eq(seen.drivers.iter().copied()) {
            return;
        }
        let words = |view: &DriverView| {
            format!(
                "get_unmapped_area called {} times, mmap {}, close {}",
                view.area_calls, view.mmap_calls, view.close_calls
            )
        };
        for ours in expected {
            // A target counts the calls of the drivers that it can script; of others it is silent.
            let same_device = |theirs: &&DriverView| theirs.number == ours.number;
            let Some(theirs) = seen.drivers.iter().find(same_device) else {
                continue;
            };
            if *theirs == ours {
                continue;
            }
            let rules: &[_] = match theirs.close_calls != ours.close_calls {
                true => &["driver-close-last"],
                false => &["driver-asked-for-address", "driver-mmap-called"],
            };
            let component = format!("driver of file {}", ours.number);
            found.push(mismatch(component, words(&ours), words(theirs), rules));
        }
    }

    /// What each driver was asked.
    pub(super) fn driver_views(&self) -> impl Iterator<Item = DriverView> + Clone {
        (0..).zip(self.files.iter()).filter_map(|(number, file)| {
            let driver = file.driver.as_ref()?;
            Some(DriverView {
                number,
                area_calls: driver.area_calls,
                mmap_calls: driver.mmap_calls,
                close_calls: driver.close_calls,
            })
        })
    }
}

/// Takes the first of what is left, if it is the one that is looked for.
fn next_if<'a, T>(rest: &mut &'a [T], is: impl FnOnce(&T) -> bool) -> Option<&'a T> {
    let (first, behind) = rest.split_first()?;
    if !is(first) {
        return None;
    }
    *rest = behind;
    Some(first)
}

/// Whether a file has its pages where it is shown to have them.
fn same_pages(file: &File, shown: &FileView) -> bool {
    if file.kind != Kind::MemoryBacked {
        return shown.pages.is_empty();
    }
    file.pages.len() == shown.pages.len()
        && file.pages.iter().zip(&shown.pages).all(|(ours, theirs)| {
            // An address that was never told is not known yet.
            let same = ours.address.is_none_or(|ours| ours == theirs.address);
            ours.index == theirs.index && same
        })
}

fn size(bytes: u64) -> String {
    format!("size {bytes:#x}")
}

fn extra_region(view: &RegionView) -> Mismatch {
    let rules = &["munmap-releases", "exit-releases", "others-untouched"];
    mismatch("regions", "no such region", listed_line(view), rules)
}

/// A listing that is not the one that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) expected: String,
    pub(crate) seen: String,
}

/// Holds a listing of mappings to those there are. Mappings of one range may be listed in any
/// order: the document orders them no further than by address.
pub(crate) fn mappings(ours: &[Mapping], seen: &[MappingView]) -> Result<(), Listed> {
    if ours.len() == seen.len()
        && ours
            .iter()
            .zip(seen)
            .all(|(ours, seen)| ours.view() == *seen)
    {
        return Ok(());
    }
    let mut at = 0;
    while at < ours.len() {
        let range = (ours[at].start, ours[at].end);
        let run = ours[at..]
            .iter()
            .take_while(|mapping| (mapping.start, mapping.end) == range);
        let end = at + run.count();
        let run = &ours[at..end];
        let Some(shown) = seen.get(at..end) else {
            return Err(first_difference(ours, seen, at));
        };
        let same = match run {
            [mapping] => mapping.view() == shown[0],
            _ => run.iter().all(|mapping| {
                let view = mapping.view();
                let ours = run.iter().filter(|mapping| mapping.view() == view).count();
                ours == shown.iter().filter(|&&shown| shown == view).count()
            }),
        };
        if !same {
            return Err(first_difference(ours, seen, at));
        }
        at = end;
    }
    if seen.len() > at {
        return Err(first_difference(ours, seen, at));
    }
    Ok(())
}

fn first_difference(ours: &[Mapping], seen: &[MappingView], from: usize) -> Listed {
    let line = |view: Option<MappingView>| {
        view.map_or_else(|| "no more mappings".to_owned(), |view| mapping_line(&view))
    };
    let ours = |index: usize| ours.get(index).map(Mapping::view);
    let theirs = |index: usize| seen.get(index).copied();
    let last = from + 64;
    let at = (from..last)
        .find(|&index| ours(index) != theirs(index))
        .unwrap_or(from);
    Listed {
        expected: line(ours(at)),
        seen: line(theirs(at)),
    }
}

/// A mapping in a line.
pub(crate) fn mapping_line(view: &MappingView) -> String {
    let kind = if view.shared { "shared" } else { "private" };
    format!(
        "{:#x}-{:#x} {} {kind} {}",
        view.start,
        view.end,
        protection(view.protection),
        object(view.object, view.offset),
    )
}

fn protection(protection: crate::op::Protection) -> String {
    use crate::op::Protection as P;
    [(P::READ, 'r'), (P::WRITE, 'w'), (P::EXEC, 'x')]
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

fn object(object: Option<Object>, offset: u64) -> String {
    match object {
        None => "anonymous".to_owned(),
        Some(Object::File(number)) => format!("file {number} from {offset:#x}"),
        Some(Object::Segment(number)) => format!("segment {number}"),
    }
}

/// A region as a target has to show it.
pub(crate) fn region_view(region: &Region) -> RegionView {
    let (object, offset) = match region.origin {
        Origin::Anonymous => (None, 0),
        Origin::Copy { file, offset, .. } => (Some(Object::File(file.0)), offset),
    };
    RegionView {
        start: region.start,
        end: region.end,
        top: region.top,
        protection: region.protection,
        object,
        offset,
        copy: true,
        users: region.users,
    }
}

/// A region in a line.
pub(crate) fn region_line(region: &Region) -> String {
    listed_line(&region_view(region))
}

/// A listed region in a line.
pub(crate) fn listed_line(view: &RegionView) -> String {
    format!(
        "{:#x}-{:#x} kept to {:#x} {} {}, {} users",
        view.start,
        view.end,
        view.top,
        protection(view.protection),
        object(view.object, view.offset),
        view.users,
    )
}
