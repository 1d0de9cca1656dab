//! Lockstep operations a second on one core, and where the time goes.
//!
//! ```text
//! cargo bench -p nommu-oracle --bench lockstep -- [OPERATIONS]
//! ```
//!
//! The same traces are run again with one part more each time, so that the difference is what
//! the part costs. The best of several rounds counts: other work can only add to it.

use arbitrary::Unstructured;
use nommu_model::observation::{Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::rules;
use nommu_model::step::{Answer, step};
use nommu_model::world::config::Config;
use nommu_model::world::{Objects, World};
use nommu_oracle::campaign;
use nommu_oracle::generate::{Generator, Options};
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::target::Target;
use nommu_oracle::target::engine::EngineTarget;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 5;

fn main() {
    let operations = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(100_000);
    for page_size in [4096, 64] {
        measure(page_size, operations);
    }
}

/// Runs the same traces in each way.
fn measure(page_size: u64, operations: usize) {
    let options = Options {
        page_size: Some(page_size),
        pages: Some(64),
        ..Options::default()
    };
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let mut traces: Vec<(Config, Vec<Operation>)> = Vec::new();
    let mut inputs = Vec::new();
    let mut count = 0;
    while count < operations {
        let mut bytes = vec![0; options.bytes()];
        let mut random = ChaCha8Rng::seed_from_u64(1);
        random.set_stream(inputs.len() as u64);
        random.fill_bytes(&mut bytes);
        let (config, operations) = generate(&mut lockstep, &bytes, &options);
        count += operations.len();
        traces.push((config, operations));
        inputs.push(bytes);
    }
    println!(
        "64 pages of {page_size} bytes, {count} operations in {} traces:",
        traces.len()
    );
    let mut last = 0.0;
    let mut tell = |name: &str, seconds: f64| {
        let each = seconds * 1e9 / count as f64;
        println!(
            "  {name:44} {:9.0} operations/s {each:7.0} ns each, {:+7.0}",
            count as f64 / seconds,
            each - last
        );
        last = each;
    };
    tell(
        "engine and what it shows",
        best(|| engine(&traces, Part::Engine)),
    );
    tell("and the model's step", best(|| engine(&traces, Part::Step)));
    tell(
        "and its comparison",
        best(|| engine(&traces, Part::Compare)),
    );
    tell("and all rules", best(|| engine(&traces, Part::Rules)));
    tell(
        "lockstep: all this, and contents",
        best(|| {
            for (config, operations) in &traces {
                let performed = lockstep.run(config, operations).expect("it agrees");
                black_box(performed);
            }
        }),
    );
    tell(
        "campaign: lockstep, and the generator",
        best(|| {
            for bytes in &inputs {
                black_box(generate(&mut lockstep, bytes, &options));
            }
        }),
    );
}

fn generate(
    lockstep: &mut Lockstep<EngineTarget>,
    bytes: &[u8],
    options: &Options,
) -> (Config, Vec<Operation>) {
    let mut bytes = Unstructured::new(bytes);
    let mut generator = Generator::new(&mut bytes, options);
    let mut operations = Vec::new();
    campaign::drive(
        lockstep,
        &mut generator,
        &mut bytes,
        &[],
        0,
        &mut operations,
    )
    .expect("it agrees");
    (generator.focus().header.config(Vec::new()), operations)
}

fn best(mut run: impl FnMut()) -> f64 {
    let round = |_| {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Part {
    Engine,
    Step,
    Compare,
    Rules,
}

/// Lockstep by hand, up to a part.
fn engine(traces: &[(Config, Vec<Operation>)], until: Part) {
    let mut target = EngineTarget::new();
    let mut seen = Observation::default();
    let table: Vec<_> = rules::all().collect();
    let objects = Objects::new(traces[0].0.page_size);
    let mut before = World::with_objects(&objects, traces[0].0.clone());
    for (config, operations) in traces {
        target.reset(config).expect("it can be run");
        let mut world = World::with_objects(&objects, config.clone());
        for operation in operations {
            if until >= Part::Step && world.performable(operation).is_err() {
                continue;
            }
            let outcome = target.perform(operation).expect("it can be reached");
            target.observe(&mut seen).expect("it can be reached");
            if until < Part::Step {
                continue;
            }
            before.clone_from(&world);
            let answer = Answer {
                outcome: &outcome,
                seen: &seen,
                sight: Sight::all(),
                contents: &target,
                injected_failure: false,
            };
            step(&mut world, operation, &answer).expect("it agrees");
            if until >= Part::Compare {
                world.compare(&seen, Sight::all()).expect("it agrees");
            }
            if until >= Part::Rules {
                let kinds = rules::Kinds::of(operation);
                let step = rules::Step::new(&before, operation, &outcome, &world, false);
                for rule in table.iter().filter(|rule| rule.kinds.contains(kinds)) {
                    black_box(rule.check(&step));
                }
            }
        }
    }
}
