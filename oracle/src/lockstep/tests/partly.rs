//! Implementations that show only part of what there is: what is not shown is not judged.

use crate::campaign::{self, Plan};
use crate::target::engine::EngineTarget;
use crate::target::{Target, TargetError, Touched};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::ops::ControlFlow;

/// The engine, which shows so much.
struct Partly {
    engine: EngineTarget,
    sight: Sight,
}

impl Contents for Partly {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.sight.contains(Sight::CONTENTS) && self.engine.memory(address, bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        self.sight.contains(Sight::CONTENTS) && self.engine.file(number, offset, bytes)
    }
}

impl Target for Partly {
    fn name(&self) -> &str {
        "partly"
    }

    fn sight(&self) -> Sight {
        self.sight
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        self.engine.reset(config)
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        self.engine.perform(operation)
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        self.engine.observe(observation)?;
        let hides = |part| !self.sight.contains(part);
        if hides(Sight::MAPPINGS) {
            observation.processes.clear();
        }
        if hides(Sight::REGIONS) {
            observation.regions.clear();
        }
        if hides(Sight::FREE_BLOCKS) {
            observation.free.clear();
        }
        if hides(Sight::FILES) {
            observation.files.clear();
        }
        if hides(Sight::FILE_PAGES) {
            (observation.files.iter_mut()).for_each(|file| file.pages.clear());
        }
        if hides(Sight::SEGMENTS) {
            observation.segments.clear();
        }
        if hides(Sight::DRIVERS) {
            observation.drivers.clear();
        }
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        self.engine.touched()
    }
}

/// What a campaign says against an engine that is right and shows so much.
fn said_against(sight: Sight) -> Option<String> {
    let target = move || Partly {
        engine: EngineTarget::new(),
        sight,
    };
    let plan = Plan {
        operations: Some(20_000),
        ..Plan::default()
    };
    let report = campaign::run(&plan, target, |_| ControlFlow::Continue(()));
    let found = report.expect("the engine can be run").found?;
    Some(format!("{sight:?}: {}\n{}", found.trace, found.divergence))
}

#[test]
fn nothing_is_said_against_what_is_not_shown() {
    let parts = || Sight::all().iter();
    let one_hidden = parts().map(|part| Sight::all() - part);
    let one_shown = parts().chain([Sight::empty()]);
    let pairs = parts().flat_map(|one| parts().map(move |other| one | other));
    let wrong: Vec<String> = (one_hidden.chain(one_shown).chain(pairs))
        .filter_map(said_against)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
