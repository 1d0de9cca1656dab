//! scratch
use nommu_oracle::campaign::{self, Plan};
use nommu_oracle::lockstep::{Lockstep, Stop};
use nommu_oracle::minimise::minimise;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::trace::Trace;
use std::collections::BTreeMap;
fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let plan = Plan { seed: arguments[0], operations: Some(arguments[1]), jobs: std::num::NonZeroUsize::new(arguments.get(2).copied().unwrap_or(1) as usize).unwrap(), failures: arguments.get(3).is_some(), ..Plan::default() };
    let start = std::time::Instant::now();
    if std::env::var("ALL").is_ok() {
        let mut lockstep = Lockstep::new(EngineTarget::new());
        let mut found = BTreeMap::new();
        let mut number = 0;
        let mut tally = nommu_oracle::lockstep::Tally::default();
        while tally.performed < arguments[1] {
            let (header, operations, result) = campaign::trace_of(&plan, number, &mut lockstep);
            number += 1;
            tally.merge(&lockstep.take_tally());
            if let Err(Stop::Diverged(divergence)) = result {
                let key = format!("{:?} {}", divergence.signature(), divergence.expected.chars().filter(|c| !c.is_ascii_digit()).take(100).collect::<String>());
                let entry = found.entry(key).or_insert((0, Trace::new(header, operations)));
                entry.0 += 1;
            }
        }
        println!("{} traces, {} operations, {} kinds of divergence", number, tally.performed, found.len());
        let mut texts = BTreeMap::new();
        for (_, (count, trace)) in found {
            let minimal = minimise(&mut lockstep, &trace, &[], 0).unwrap();
            let Some(minimal) = minimal else { println!("does not diverge again:\n{trace}"); continue };
            let entry = texts.entry(minimal.trace.to_string()).or_insert((0, minimal.divergence, minimal.runs));
            entry.0 += count;
        }
        for (text, (count, divergence, runs)) in texts {
            println!("==== {count} times, {runs} runs\n{text}\n{divergence}");
        }
        return;
    }
    let report = campaign::run(&plan, EngineTarget::new, |_| std::ops::ControlFlow::Continue(())).unwrap();
    eprintln!("{} traces, {} operations, {:.0}/s", report.traces, report.tally.performed, report.tally.performed as f64 / start.elapsed().as_secs_f64());
    if let Some(found) = report.found { println!("trace {} failure {}\n{}\n{}", found.number, found.failure, found.trace, found.divergence);
        let mut lockstep = Lockstep::new(EngineTarget::new());
        let start = std::time::Instant::now();
        if let Some(minimal) = minimise(&mut lockstep, &found.trace, &[], found.failure).unwrap() { println!("---- {} runs {:?} failure {}\n{}\n{}", minimal.runs, start.elapsed(), minimal.failure, minimal.trace, minimal.divergence); } else { println!("no divergence"); }
    }
    if std::env::var("TALLY").is_ok() { for (k, c, n) in report.tally.outcomes() { println!("{:20} {:12} {}", k.name(), c.to_string(), n); } }
}
