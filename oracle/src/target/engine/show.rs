//! What a system shows of its state.

use super::convert;
use super::system::System;
use nommu_model::observation::{FilePageView, FileView, FreeBlock, ProcessView};
use nommu_model::op::Process;

impl System {
    /// Collects what is to be seen, in memory that is used again.
    pub fn observe(&mut self) {
        let engine = &self.engine;
        let seen = &mut self.seen;
        let mut count = 0;
        for pid in engine.processes() {
            if seen.processes.len() == count {
                seen.processes.push(ProcessView {
                    process: Process(0),
                    mappings: Vec::new(),
                });
            }
            let view = &mut seen.processes[count];
            let named = self.names.named.get(pid.0 as usize);
            view.process = named.copied().unwrap_or(Process(u16::MAX));
            view.mappings.clear();
            let mappings = engine.mappings(pid);
            view.mappings
                .extend(mappings.map(|mapping| convert::mapping(&mapping)));
            count += 1;
        }
        seen.processes.truncate(count);
        seen.regions.clear();
        let regions = engine.regions().map(|region| convert::region(&region));
        seen.regions.extend(regions);
        seen.free.clear();
        let free = engine.free_blocks();
        seen.free.extend(free.map(|block| FreeBlock {
            start: block.start,
            order: block.order,
        }));
        seen.copied_pages = engine.copied_pages();
        let page_size = self.config.page_size;
        seen.drivers.clear();
        let mut count = 0;
        for (file, runs) in engine.files_with_runs() {
            if seen.files.len() == count {
                seen.files.push(FileView {
                    number: 0,
                    size: 0,
                    pages: Vec::new(),
                });
            }
            let view = &mut seen.files[count];
            view.number = file.number.0 as u16;
            view.size = file.size;
            seen.drivers
                .extend(file.driver.as_ref().map(convert::driver));
            view.pages.clear();
            for run in runs {
                view.pages.extend((0..run.pages).map(|index| FilePageView {
                    index: (run.first_page + index) as u32,
                    address: run.start + index * page_size,
                }));
            }
            count += 1;
        }
        seen.files.truncate(count);
        seen.segments.clear();
        let segments = engine.segments();
        seen.segments
            .extend(segments.map(|segment| convert::segment(&segment)));
    }
}
