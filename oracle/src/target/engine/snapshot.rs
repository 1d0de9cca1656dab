//! A system at one moment, for an explorer that goes back to it.

use super::names::Names;
use super::system::System;
use super::{EngineTarget, TrackedMemory};
use nommu_engine::{Config as EngineConfig, Engine};
use nommu_model::observation::Observation;

/// Everything that the future of a system depends on.
#[derive(Clone, Debug)]
pub struct Snapshot {
    engine: Engine<TrackedMemory>,
    config: EngineConfig,
    names: Names,
    dead: Option<String>,
    #[cfg(test)]
    fault: Option<super::Fault>,
}

impl Snapshot {
    /// The engine.
    pub fn engine(&self) -> &Engine<TrackedMemory> {
        &self.engine
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        let layout = self.config.layout();
        // The records of an empty system, and its memory.
        4096 + layout.map_or(0, |layout| layout.length() as usize)
    }
}

impl EngineTarget {
    /// The system as it is; none before it was made.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let system = self.system.as_ref()?;
        let mut engine = system.engine.clone();
        engine.memory_mut().forget_touched();
        Some(Snapshot {
            engine,
            config: system.config,
            names: system.names.clone(),
            dead: system.dead.clone(),
            #[cfg(test)]
            fault: self.fault,
        })
    }

    /// Makes the system what it was.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        let Snapshot {
            engine,
            config,
            names,
            dead,
            ..
        } = snapshot;
        #[cfg(test)]
        {
            self.fault = snapshot.fault;
        }
        self.copy(engine, *config, names, dead);
    }

    /// Makes the system what another is.
    pub fn follow(&mut self, other: &EngineTarget) {
        match &other.system {
            Some(system) => {
                self.copy(&system.engine, system.config, &system.names, &system.dead);
            }
            None => self.system = None,
        }
    }

    /// Whether the system is what another is, which it followed, but for what names of mappings
    /// stand for.
    pub fn is_still(&self, before: &EngineTarget) -> bool {
        match (&self.system, &before.system) {
            (Some(now), Some(before)) => {
                now.engine.is_unchanged_since(&before.engine)
                    && now.names.are_still(&before.names)
                    && now.config == before.config
                    && now.dead == before.dead
                    && !now.injected
            }
            (now, before) => now.is_none() && before.is_none(),
        }
    }

    fn copy(
        &mut self,
        engine: &Engine<TrackedMemory>,
        config: EngineConfig,
        names: &Names,
        dead: &Option<String>,
    ) {
        match &mut self.system {
            Some(system) => {
                system.engine.clone_from(engine);
                system.config = config;
                system.names.clone_from(names);
                system.dead.clone_from(dead);
                system.injected = false;
            }
            None => {
                self.system = Some(System {
                    engine: engine.clone(),
                    config,
                    names: names.clone(),
                    seen: Observation::default(),
                    dead: dead.clone(),
                    injected: false,
                    bytes: Vec::new(),
                });
            }
        }
    }

    /// Another that has not been started.
    pub fn fresh(&self) -> Self {
        #[cfg(test)]
        let fault = self.fault;
        Self {
            #[cfg(test)]
            fault,
            ..Self::new()
        }
    }

    /// The engine, to be looked at.
    pub fn engine(&self) -> Option<&Engine<TrackedMemory>> {
        self.system.as_ref().map(|system| &system.engine)
    }
}
