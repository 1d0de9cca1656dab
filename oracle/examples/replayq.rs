//! scratch
fn main() {
    for file in std::env::args().skip(1) {
        let text = std::fs::read(&file).unwrap();
        let trace = nommu_oracle::trace::Trace::parse(&file, &text).unwrap();
        let mut lockstep = nommu_oracle::lockstep::Lockstep::new(nommu_oracle::target::engine::EngineTarget::new());
        lockstep.reset(&trace.header.config(vec![])).unwrap();
        println!("{file}");
        for op in trace.operations() { match lockstep.step(op) { Ok(n) => println!("  {} -> {:?}", nommu_oracle::trace::Text(op), n), Err(stop) => {println!("{stop}"); break} } }
        if std::env::var("WORLD").is_ok() { println!("{}", lockstep.world().render()); }
    }
}
