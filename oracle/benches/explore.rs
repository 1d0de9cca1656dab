//! The search beside that of `stateright`, on the same toy, in one run.
//!
//! ```text
//! cargo bench -p nommu-oracle --bench explore -- [--repeat N] [PAGES... | SCOPE.toml]
//! ```
//!
//! A scope compares the searches on the product of model and engine, where both sides work with
//! the same states and steps, and each counts states without names.
//!
//! Each measurement is a process of its own, so that the most memory that it had is known, and
//! is repeated; the best time counts, since other work on the machine can only add to it.

use nommu_model::op::Operation;
use nommu_oracle::explore::{
    Search, System, Unnoted,
    product::{Packed, Product, State},
    scope,
    toy::{Allocation, Call, Pages},
};
use stateright::{Checker, Model, Property};
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
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

/// The product, for the peer.
struct PeerProduct(Product);

/// One of its states: itself, and what tells it apart.
#[derive(Clone)]
struct PeerState {
    packed: Arc<Packed>,
    canonical: Arc<[u8]>,
}

impl PartialEq for PeerState {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Hash for PeerState {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.canonical.hash(hasher);
    }
}

impl std::fmt::Debug for PeerState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a state")
    }
}

thread_local! {
    /// States that are used again, as the search of this crate does.
    static SCRATCH: RefCell<Option<(State, State)>> = const { RefCell::new(None) };
}

impl PeerProduct {
    fn with_scratch<T>(&self, work: impl FnOnce(&mut State, &mut State) -> T) -> T {
        SCRATCH.with_borrow_mut(|scratch| {
            let (from, into) = scratch.get_or_insert_with(|| (self.0.initial(), self.0.initial()));
            work(from, into)
        })
    }

    fn peer_state(&self, state: &State) -> PeerState {
        let mut canonical = Vec::new();
        self.0.canonical(state, &mut canonical);
        PeerState {
            packed: Arc::new(self.0.at_rest(state)),
            canonical: canonical.into(),
        }
    }
}

impl Model for PeerProduct {
    type State = PeerState;
    type Action = Operation;

    fn init_states(&self) -> Vec<PeerState> {
        vec![self.peer_state(&self.0.initial())]
    }

    fn actions(&self, state: &PeerState, actions: &mut Vec<Operation>) {
        self.with_scratch(|from, _| {
            from.resume(&state.packed);
            self.0.actions(from, actions);
        });
    }

    fn next_state(&self, state: &PeerState, operation: Operation) -> Option<PeerState> {
        self.with_scratch(|from, into| {
            from.resume(&state.packed);
            let step = self.0.successor(from, &operation, into, &mut Unnoted);
            step.ok().map(|()| self.peer_state(into))
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
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
        let measured = measure_here(searcher, pages, number(threads) as usize);
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
    let mut systems = arguments;
    if systems.is_empty() {
        systems = vec!["16".to_owned(), "20".to_owned()];
    }
    println!(
        "system  threads  searcher       states      transitions  depth  seconds  M trans/s  \
         bytes/state"
    );
    for system in &systems {
        let pages = std::path::Path::new(system).file_stem();
        let pages = pages.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        for threads in [1, 2] {
            let [own, peer] = [OWN, PEER].map(|searcher| best(searcher, system, threads, repeat));
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

fn best(searcher: &str, pages: &str, threads: u32, repeat: u32) -> Measured {
    let runs = (0..repeat).map(|_| measure_apart(searcher, pages, threads));
    runs.min_by(|one, other| one.seconds.total_cmp(&other.seconds))
        .expect("at least one run")
}

fn measure_apart(searcher: &str, pages: &str, threads: u32) -> Measured {
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["measure", searcher, pages, &threads.to_string()])
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

fn measure_here(searcher: &str, system: &str, threads: usize) -> Measured {
    if system.ends_with(".toml") {
        return measure_product(searcher, system, threads);
    }
    let toy = Pages {
        count: number(system),
    };
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

fn measure_product(searcher: &str, file: &str, threads: usize) -> Measured {
    let text = std::fs::read_to_string(file).expect("a scope");
    let scope = scope::read(file, &text).unwrap_or_else(|error| panic!("{error}"));
    let depth = scope.depth;
    let config = scope.header.config(Vec::new());
    let product = Product::new(scope, &config).unwrap_or_else(|stop| panic!("{stop}"));
    let before = memory_bytes("VmRSS:");
    let start = Instant::now();
    let (states, transitions, depth) = match searcher {
        OWN => {
            let mut search = Search::new(NonZeroUsize::new(threads).expect("at least one thread"));
            search.depth_limit = depth;
            search.past_violations = true;
            let report = search.run(&product).expect("no checkpoint is written");
            let statistics = report.statistics;
            let depth = statistics.levels.len() as u64;
            (statistics.states, statistics.transitions, depth)
        }
        PEER => {
            let mut checker = PeerProduct(product).checker().threads(threads);
            if let Some(depth) = depth {
                checker = checker.target_max_depth(depth as usize + 1);
            }
            let checker = checker.spawn_bfs().join();
            let states = checker.unique_state_count() as u64;
            let transitions = checker.state_count() as u64;
            (states, transitions, checker.max_depth() as u64)
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
