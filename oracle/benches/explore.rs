//! The search beside that of `stateright`, on the same toy, in one run.
//!
//! ```text
//! cargo bench -p nommu-oracle --bench explore -- [--repeat N] [PAGES...]
//! ```
//!
//! Each measurement is a process of its own, so that the most memory that it had is known, and
//! is repeated; the best time counts, since other work on the machine can only add to it.

use nommu_oracle::explore::{
    Search, System,
    toy::{Allocation, Call, Pages},
};
use stateright::{Checker, Model, Property};
use std::num::NonZeroUsize;
use std::process::Command;
use std::time::Instant;

/// The toy, for the peer.
#[derive(Clone)]
struct PeerPages(Pages);

impl Model for PeerPages {
    type State = Allocation;
    type Action = Call;

    fn init_states(&self) -> Vec<Allocation> {
        vec![self.0.initial()]
    }

    fn actions(&self, state: &Allocation, actions: &mut Vec<Call>) {
        self.0.calls(*state, actions);
    }

    fn next_state(&self, state: &Allocation, call: Call) -> Option<Allocation> {
        Some(state.after(call))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // Without one, it stops at once.
        vec![Property::always("always", |_, _| true)]
    }
}

/// What one search says.
struct Measured {
    states: u64,
    transitions: u64,
    depth: u64,
    seconds: f64,
    peak_bytes: u64,
}

const OWN: &str = "nommu-oracle";
const PEER: &str = "stateright";

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|argument| argument != "--bench");
    if let [measure, searcher, pages, threads] = arguments.as_slice()
        && measure == "measure"
    {
        let measured = measure_here(searcher, number(pages), number(threads) as usize);
        println!(
            "{} {} {} {} {}",
            measured.states,
            measured.transitions,
            measured.depth,
            measured.seconds,
            measured.peak_bytes
        );
        return;
    }
    let mut repeat = 3;
    if let Some(at) = arguments.iter().position(|argument| argument == "--repeat") {
        repeat = number(arguments.get(at + 1).expect("--repeat needs a number"));
        arguments.drain(at..at + 2);
    }
    let mut sizes: Vec<u32> = arguments.iter().map(|pages| number(pages)).collect();
    if sizes.is_empty() {
        sizes = vec![16, 20];
    }
    println!(
        "pages  threads  searcher       states      transitions  depth  seconds  M trans/s  \
         bytes/state"
    );
    for pages in sizes {
        for threads in [1, 2] {
            let [own, peer] = [OWN, PEER].map(|searcher| best(searcher, pages, threads, repeat));
            for (searcher, measured) in [(OWN, &own), (PEER, &peer)] {
                println!(
                    "{pages:>5}  {threads:>7}  {searcher:<12} {:>9} {:>16} {:>6} {:>8.3} {:>10.1} {:>12.1}",
                    measured.states,
                    measured.transitions,
                    measured.depth,
                    measured.seconds,
                    measured.rate() / 1e6,
                    measured.bytes_per_state(),
                );
            }
            println!(
                "{:>5}  {:>7}  {:<12} {:>50.1}x {:>10.2}x",
                "",
                "",
                "ratio",
                own.rate() / peer.rate(),
                own.bytes_per_state() / peer.bytes_per_state(),
            );
        }
    }
}

impl Measured {
    fn rate(&self) -> f64 {
        self.transitions as f64 / self.seconds
    }

    fn bytes_per_state(&self) -> f64 {
        self.peak_bytes as f64 / self.states as f64
    }
}

fn number(text: &str) -> u32 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text}: expected a number"))
}

fn best(searcher: &str, pages: u32, threads: u32, repeat: u32) -> Measured {
    let runs = (0..repeat).map(|_| measure_apart(searcher, pages, threads));
    runs.min_by(|one, other| one.seconds.total_cmp(&other.seconds))
        .expect("at least one run")
}

fn measure_apart(searcher: &str, pages: u32, threads: u32) -> Measured {
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args([
            "measure",
            searcher,
            &pages.to_string(),
            &threads.to_string(),
        ])
        .output()
        .expect("this program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = String::from_utf8(output.stdout).expect("numbers");
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [states, transitions, depth, seconds, peak_bytes] = fields[..] else {
        panic!("expected five numbers, found {line:?}");
    };
    Measured {
        states: states.parse().expect("a number"),
        transitions: transitions.parse().expect("a number"),
        depth: depth.parse().expect("a number"),
        seconds: seconds.parse().expect("a number"),
        peak_bytes: peak_bytes.parse().expect("a number"),
    }
}

fn measure_here(searcher: &str, pages: u32, threads: usize) -> Measured {
    let toy = Pages { count: pages };
    let before = memory_bytes("VmRSS:");
    let start = Instant::now();
    let (states, transitions, depth) = match searcher {
        OWN => {
            let threads = NonZeroUsize::new(threads).expect("at least one thread");
            let report = Search::new(threads)
                .run(&toy)
                .expect("no checkpoint is written");
            let statistics = report.statistics;
            let depth = statistics.levels.len() as u64;
            (statistics.states, statistics.transitions, depth)
        }
        PEER => {
            let checker = PeerPages(toy).checker().threads(threads).spawn_bfs().join();
            let states = checker.unique_state_count() as u64;
            (
                states,
                checker.state_count() as u64,
                checker.max_depth() as u64,
            )
        }
        other => panic!("{other}: expected {OWN} or {PEER}"),
    };
    Measured {
        states,
        transitions,
        depth,
        seconds: start.elapsed().as_secs_f64(),
        peak_bytes: memory_bytes("VmHWM:") - before,
    }
}

/// A figure that the system keeps of this process.
fn memory_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .expect("as Linux writes it")
        .parse::<u64>()
        .expect("a number")
        * 1024
}
