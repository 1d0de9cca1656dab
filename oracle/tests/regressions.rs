//! What was found once, minimised, and must not come back.

mod corpus;

use nommu_oracle::fuzz::Harness;
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::replay::replay;
use nommu_oracle::target::engine::EngineTarget;

#[test]
fn nothing_diverges_any_more() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    for path in corpus::traces(&corpus::folder("regressions")) {
        let trace = corpus::read(&path);
        let config = trace.header.config(Vec::new());
        let replayed =
            replay(&mut lockstep, &trace, &config, |_, _, _| {}).expect("the engine runs");
        if let Some(divergence) = replayed.divergence {
            panic!("{} {divergence}", path.display());
        }
    }
}

/// Inputs of fuzz targets that are no traces, by the target's name.
#[test]
fn nothing_crashes_any_more() {
    let inputs = corpus::folder("regressions/inputs");
    for target in std::fs::read_dir(inputs).expect("it can be read") {
        let folder = target.expect("the entry can be read").path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let harness: Harness = match name.parse() {
            Ok(harness) => harness,
            Err(problem) => panic!("{}: {problem}", folder.display()),
        };
        for input in std::fs::read_dir(&folder).expect("it can be read") {
            let path = input.expect("the entry can be read").path();
            let input = std::fs::read(&path).expect("it can be read");
            if let Err(crash) = harness.judge(&input) {
                panic!("{}: {crash}", path.display());
            }
        }
    }
}
