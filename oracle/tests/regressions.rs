//! What was found once, minimised, and must not come back.

mod corpus;

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
