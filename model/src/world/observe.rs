//! What a target has to show of a world.

use super::World;
use super::compare::region_view;
use super::file::{File, Kind};
use super::space::Mapping;
use crate::observation::{FilePageView, FileView, Observation, ProcessView, SegmentView};
use crate::op::Process;

impl World {
    /// What a target has to show of this world, for explanations. Addresses that are not known
    /// are 0.
    pub fn observe(&self) -> Observation {
        let processes = (0..).zip(self.processes.iter());
        let live = processes.filter(|(_, state)| state.alive);
        let segments = (0..).zip(self.segments.iter());
        let files = (0..).zip(self.files.iter());
        Observation {
            processes: live
                .map(|(number, state)| {
                    let space = &self.spaces[usize::from(state.space.0)];
                    ProcessView {
                        process: Process(number),
                        mappings: space.mappings.iter().map(Mapping::view).collect(),
                    }
                })
                .collect(),
            regions: self
                .regions
                .iter()
                .map(|region| region_view(region))
                .collect(),
            free: self.memory.free_blocks().collect(),
            copied_pages: self.copied_pages(),
            files: files
                .filter(|(_, file)| !file.dead)
                .map(|(number, file)| FileView {
                    number,
                    size: file.size,
                    pages: page_addresses(file),
                })
                .collect(),
            segments: segments
                .filter(|(_, segment)| !segment.dead)
                .map(|(number, segment)| SegmentView {
                    number,
                    size: segment.size,
                    attached: segment.attached,
                    removed: segment.removed,
                    start: segment.start.unwrap_or(0),
                })
                .collect(),
            drivers: self.driver_views().collect(),
        }
    }
}

/// Where the pages of a memory-backed file are.
fn page_addresses(file: &File) -> Vec<FilePageView> {
    if file.kind != Kind::MemoryBacked {
        return Vec::new();
    }
    file.pages
        .iter()
        .map(|page| FilePageView {
            index: page.index,
            address: page.address.unwrap_or(0),
        })
        .collect()
}
