//! What the fuzz targets have in common: bytes become a trace by the one generator, and the
//! engine runs it in lockstep with the model.

use arbitrary::Unstructured;
use nommu_oracle::campaign::drive;
use nommu_oracle::generate::{Generator, Options};
use nommu_oracle::lockstep::{Lockstep, Stop};
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::trace::Trace;
use std::cell::RefCell;

thread_local! {
    static LOCKSTEP: RefCell<Lockstep<EngineTarget>> =
        RefCell::new(Lockstep::new(EngineTarget::new()));
}

/// Runs what the generator makes of an input.
///
/// # Panics
///
/// Where model and engine diverge: with the divergence, and the trace that shows it.
pub fn judge(input: &[u8], options: &Options) {
    LOCKSTEP.with_borrow_mut(|lockstep| {
        let mut bytes = Unstructured::new(input);
        let mut generator = Generator::new(&mut bytes, options);
        let mut operations = Vec::new();
        let result = drive(
            lockstep,
            &mut generator,
            &mut bytes,
            &[],
            0,
            &mut operations,
        );
        if let Err(Stop::Diverged(divergence)) = result {
            let trace = Trace::new(generator.focus().header.clone(), operations);
            panic!("{divergence}\n{trace}");
        }
    });
}

/// Traces of 32 operations.
pub fn short() -> Options {
    Options {
        length: 32,
        ..Options::default()
    }
}
