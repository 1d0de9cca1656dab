//! Systems before their first operation.
//!
//! Most of what a system begins with is the bytes of its devices and files: the same for all whose
//! memory is alike. They are made once, and what a trace left behind is made like them again, in
//! the memory that it has.

use super::names::Names;
use super::system::System;
use super::{TrackedMemory, panics};
use nommu_engine::{Config, Engine, Errno, Layout, Memory};
use nommu_model::observation::Observation;

/// What systems of one size of memory begin with.
pub(super) struct Pristine {
    layout: Layout,
    /// Without its memory, and without a process.
    engine: Engine<TrackedMemory>,
    /// What lies behind the window.
    devices: Box<[u8]>,
    /// One whose trace is over.
    spare: Option<System>,
}

impl Pristine {
    /// Makes what a system of this configuration begins with.
    ///
    /// # Errors
    ///
    /// In words, when there can be no such system.
    pub fn new(config: Config) -> Result<Self, String> {
        let config = Config {
            processes: 0,
            ..config
        };
        let layout = config
            .layout()
            .map_err(|error| format!("found {config:?}, which the engine refuses with {error}"))?;
        let memory = TrackedMemory::new(&layout, config.page_size);
        let mut engine = made(|| Engine::new(config, memory))?;
        let memory = std::mem::replace(engine.memory_mut(), TrackedMemory::absent());
        let devices = memory.tail(layout.window_length as usize).into();
        Ok(Self {
            layout,
            engine,
            devices,
            spare: None,
        })
    }

    /// Whether a system of this configuration begins so, but for its processes and what may be set.
    pub fn fits(&self, config: &Config) -> bool {
        let ours = self.engine.config();
        (ours.page_size, ours.pages) == (config.page_size, config.pages)
    }

    /// Keeps a system that fits, for what it has allocated.
    pub fn keep(&mut self, system: System) {
        self.spare = Some(system);
    }

    /// A system of a configuration that fits.
    ///
    /// # Errors
    ///
    /// In words, when the engine cannot begin.
    pub fn start(&mut self, config: Config) -> Result<System, String> {
        let window = self.layout.window_length as usize;
        let mut system = match self.spare.take() {
            Some(mut system) => {
                let mut memory =
                    std::mem::replace(system.engine.memory_mut(), TrackedMemory::absent());
                memory.restore(window, &self.devices);
                system.engine.clone_from(&self.engine);
                *system.engine.memory_mut() = memory;
                system
            }
            None => {
                let mut engine = self.engine.clone();
                *engine.memory_mut() = self.memory();
                System {
                    engine,
                    config,
                    names: Names::default(),
                    seen: Observation::default(),
                    dead: None,
                    injected: false,
                    bytes: Vec::new(),
                }
            }
        };
        system.config = config;
        system.names.begin(config.processes);
        system.dead = None;
        system.injected = false;
        made(|| system.engine.begin(config))?;
        Ok(system)
    }

    /// Memory as it is at the start.
    fn memory(&self) -> TrackedMemory {
        let mut memory = TrackedMemory::new(&self.layout, self.engine.config().page_size);
        let behind = self.layout.window_start + self.layout.window_length;
        memory.write(behind, &self.devices);
        memory.settle();
        memory
    }
}

/// What the engine makes, or in words why it does not.
fn made<T>(make: impl FnOnce() -> Result<T, Errno>) -> Result<T, String> {
    match panics::watch(make) {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => Err(format!("found {error} when it was made, expected a system")),
        Err(words) => Err(format!("found that it {words}, expected a system")),
    }
}
