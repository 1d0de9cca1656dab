//! The engine as a target.
//!
//! Every write of the engine to its memory goes through [`TrackedMemory`], so that which pages
//! may have changed is known exactly. What the engine shows is collected together with the
//! outcome: a panic of either is an outcome of that step.

mod convert;
mod maps;
mod memory;
mod names;
pub(crate) mod panics;
mod pristine;
mod show;
mod snapshot;
mod system;

pub use memory::{TrackedMemory, UNCLEARED};
pub use snapshot::Snapshot;

use super::{Target, TargetError, Touched};
use nommu_engine::{Config as EngineConfig, Engine, FileNumber};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use pristine::Pristine;
use system::System;

/// The engine, behind the interface that everything judged has.
pub struct EngineTarget {
    system: Option<System>,
    /// What systems look like before their first operation, by what their memory is.
    pristine: Vec<Pristine>,
    touched: Vec<u64>,
    /// Does wrong before an operation, to see that it is noticed.
    #[cfg(test)]
    pub fault: Option<Fault>,
}

/// Does something wrong to an engine that is about to perform an operation.
#[cfg(test)]
pub type Fault = fn(&mut Engine<TrackedMemory>, &Operation);

/// Sizes of memory whose beginning is kept.
const PRISTINE_LIMIT: usize = 64;

impl EngineTarget {
    /// An engine that [`Target::reset`] has to start.
    pub fn new() -> Self {
        Self {
            system: None,
            pristine: Vec::new(),
            touched: Vec::new(),
            #[cfg(test)]
            fault: None,
        }
    }

    /// The engine, to be changed behind everybody's back.
    pub fn engine_mut(&mut self) -> Option<&mut Engine<TrackedMemory>> {
        self.system.as_mut().map(|system| &mut system.engine)
    }

    fn start(&mut self, config: EngineConfig) -> Result<System, String> {
        if let Some(system) = self.system.take()
            && let Some(pristine) =
                (self.pristine.iter_mut()).find(|pristine| pristine.fits(&system.config))
        {
            pristine.keep(system);
        }
        let known = (self.pristine.iter()).position(|pristine| pristine.fits(&config));
        let place = match known {
            Some(place) => place,
            None => {
                if self.pristine.len() == PRISTINE_LIMIT {
                    self.pristine.remove(0);
                }
                self.pristine.push(Pristine::new(config)?);
                self.pristine.len() - 1
            }
        };
        let mut system = self.pristine[place].start(config)?;
        if let Err(words) = panics::watch(|| system.observe()) {
            system.dead = Some(words);
        }
        Ok(system)
    }
}

impl Default for EngineTarget {
    fn default() -> Self {
        Self::new()
    }
}

impl Target for EngineTarget {
    fn name(&self) -> &str {
        "engine"
    }

    fn sight(&self) -> Sight {
        Sight::all()
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        let error = |problem| TargetError {
            target: "engine".to_owned(),
            problem,
        };
        let pages = config.window.map_or(0, |window| window.pages);
        let wanted = EngineConfig {
            page_size: config.page_size,
            pages: u32::try_from(pages)
                .map_err(|_| error(format!("found {pages} pages, expected at most 2^30")))?,
            trim: config.trim,
            uninitialized: config.uninitialized,
            processes: config.processes,
        };
        let system = self.start(wanted).map_err(error)?;
        let layout = wanted.layout().expect("it was made");
        let window = config
            .window
            .map_or(layout.window_start, |window| window.start);
        if window != layout.window_start {
            return Err(error(format!(
                "found a window at {window:#x}, expected {:#x}",
                layout.window_start
            )));
        }
        self.system = Some(system);
        Ok(())
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        let Some(system) = &mut self.system else {
            return Err(TargetError {
                target: "engine".to_owned(),
                problem: "found an operation before a system was made".to_owned(),
            });
        };
        if let Some(words) = &system.dead {
            return Ok(Outcome::Crash(words.clone()));
        }
        let failed_before = system.engine.allocation_failed();
        #[cfg(test)]
        let fault = self.fault;
        let outcome = panics::watch(|| {
            #[cfg(test)]
            if let Some(fault) = fault {
                fault(&mut system.engine, operation);
            }
            let outcome = system.perform(operation);
            system.observe();
            outcome
        });
        system.injected = !failed_before && system.engine.allocation_failed();
        Ok(outcome.unwrap_or_else(|words| {
            system.dead = Some(words.clone());
            Outcome::Crash(words)
        }))
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        if let Some(system) = &mut self.system {
            std::mem::swap(&mut system.seen, observation);
        }
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        match &mut self.system {
            Some(system) => {
                system.engine.memory_mut().take_touched(&mut self.touched);
                Touched::Pages(&self.touched)
            }
            None => Touched::All,
        }
    }

    fn can_fail_allocations(&self) -> bool {
        true
    }

    fn fail_allocation(&mut self, n: u64) -> bool {
        if let Some(system) = &mut self.system {
            system.engine.fail_allocation(n);
        }
        self.system.is_some()
    }

    fn injected_failure(&self) -> bool {
        self.system.as_ref().is_some_and(|system| system.injected)
    }
}

impl Contents for EngineTarget {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        match &self.system {
            Some(system) => system.engine.memory().show(address, bytes),
            None => false,
        }
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(system) = &self.system else {
            return false;
        };
        let number = FileNumber(u32::from(number));
        // Lockstep asks for files that there are. An engine that knows nothing of one shows what
        // no file holds, so that this is not taken for a target that cannot show any.
        if panics::watch(|| system.engine.file_contents(number, offset, bytes)) != Ok(true) {
            bytes.fill(memory::UNCLEARED);
        }
        true
    }
}

#[cfg(test)]
mod tests;
