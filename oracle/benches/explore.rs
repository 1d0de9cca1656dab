//! The search beside that of `stateright`, on the same toy, in one run.
//!
//! ```text
//! cargo bench -p nommu-oracle --bench explore -- [--repeat N] [PAGES... | SCOPE.toml...]
//! ```
//!
//! A scope compares the searches on the product of model and engine, where both sides work with
//! the same states and steps, and each counts states without names. The peer is given states as it
//! keeps them, at rest, and what tells them apart; it makes, hashes and keeps one for each step.
//!
//! Each measurement is a process of its own, so that the most memory that it had is known, and
//! is repeated; the best time counts, since other work on the machine can only add to it.

use nommu_model::op::Operation;
use nommu_oracle::explore::{
    Search, System, Unnoted,
    product::{Packed, Product, State},
    scope::{self, Scope},
    toy::{Allocation, Call, Pages},
};
use stateright::{Checker, Model, Property};
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, ExitCode};
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
    /// A state that is used again, as the search of this crate does.
    static SCRATCH: RefCell<Option<State>> = const { RefCell::new(None) };
}

impl PeerProduct {
    /// Works with a state that was at rest.
    fn resumed<T>(&self, packed: &Packed, work: impl FnOnce(&mut State) -> T) -> T {
        SCRATCH.with_borrow_mut(|scratch| {
            let state = scratch.get_or_insert_with(|| self.0.initial());
            state.resume(packed);
            work(state)
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
        self.resumed(&state.packed, |state| self.0.actions(state, actions));
    }

    fn next_state(&self, state: &PeerState, operation: Operation) -> Option<PeerState> {
        self.resumed(&state.packed, |state| {
            let step = self.0.step(&operation, state, &mut Unnoted);
            step.ok().map(|()| self.peer_state(state))
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

/// The scope that is measured when nothing is asked for, seen from the workspace.
const SCOPE: &str = "specs/scopes/mremap.toml";
const USAGE: &str = "usage: cargo bench -p nommu-oracle --bench explore -- \
                     [--repeat N] [PAGES... | SCOPE.toml...]";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|argument| argument != "--bench");
    if let [measure, searcher, system, threads] = arguments.as_slice()
        && measure == "measure"
    {
        let system = Searched::read(system).expect("it was read before");
        let threads = threads.parse().expect("a number");
        println!("{}", measure_here(searcher, system, threads).fields());
        return ExitCode::SUCCESS;
    }
    match asked(arguments) {
        Ok((repeat, systems)) => {
            compare(repeat, &systems);
            ExitCode::SUCCESS
        }
        Err(words) => {
            eprintln!("error: {words}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// How often, and of what.
fn asked(mut arguments: Vec<String>) -> Result<(u32, Vec<String>), String> {
    let mut repeat = 3;
    if let Some(at) = arguments.iter().position(|argument| argument == "--repeat") {
        let number = arguments.get(at + 1).map(|number| number.parse());
        repeat = match number {
            Some(Ok(number)) if number > 0 => number,
            _ => return Err("--repeat needs a number from 1 on".to_owned()),
        };
        arguments.drain(at..at + 2);
    }
    if arguments.is_empty() {
        arguments = ["16", "20", SCOPE].map(str::to_owned).to_vec();
    }
    for system in &arguments {
        Searched::read(system)?;
    }
    Ok((repeat, arguments))
}

fn compare(repeat: u32, systems: &[String]) {
    println!(
        "system           threads  searcher       states  transitions  depth  seconds  M trans/s  \
         k states/s  bytes/state"
    );
    for system in systems {
        let name = Path::new(system).file_stem().unwrap_or_default();
        let name = name.to_string_lossy();
        let mut single = None;
        for threads in [1, 2] {
            let [own, peer] = [OWN, PEER].map(|searcher| best(searcher, system, threads, repeat));
            for (searcher, measured) in [(OWN, &own), (PEER, &peer)] {
                println!(
                    "{name:<15}  {threads:>7}  {searcher:<12} {:>8} {:>12} {:>6} {:>8.3} {:>10.1} \
                     {:>11.1} {:>12.1}",
                    measured.states,
                    measured.transitions,
                    measured.depth,
                    measured.seconds,
                    measured.rate() / 1e6,
                    measured.states as f64 / measured.seconds / 1e3,
                    measured.bytes_per_state(),
                );
            }
            println!(
                "{name:<15}  {threads:>7}  {:<12} {:>47.1}x {:>10.1}x {:>11.2}x",
                "ratio",
                own.rate() / peer.rate(),
                peer.seconds / own.seconds * own.states as f64 / peer.states as f64,
                own.bytes_per_state() / peer.bytes_per_state(),
            );
            let single = *single.get_or_insert(own.seconds);
            if threads > 1 {
                let faster = single / own.seconds;
                println!("{name:<15}  {OWN} is {faster:.2}x as fast on {threads} threads as on 1");
            }
        }
    }
}

/// What is searched.
enum Searched {
    Toy(Pages),
    Product(Box<Scope>),
}

impl Searched {
    /// What an argument says.
    fn read(argument: &str) -> Result<Self, String> {
        if !argument.ends_with(".toml") {
            let count = argument.parse().ok();
            let count = count.filter(|count| *count <= 32 && count % 4 == 0);
            let count = count.ok_or_else(|| {
                format!(
                    "found {argument:?}, expected a number of pages that 4 divides, up to 32, or \
                     a scope"
                )
            })?;
            return Ok(Searched::Toy(Pages { count }));
        }
        // Cargo runs benchmarks in the crate's folder: a path is the workspace's too.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(argument);
        let text =
            std::fs::read_to_string(argument).or_else(|_| std::fs::read_to_string(workspace));
        let text = text.map_err(|error| format!("cannot read {argument}: {error}"))?;
        let scope = scope::read(argument, &text).map_err(|error| error.to_string())?;
        Ok(Searched::Product(Box::new(scope)))
    }
}

impl Measured {
    /// As [`measure_apart`] reads it.
    fn fields(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.states, self.transitions, self.depth, self.seconds, self.peak_bytes
        )
    }

    fn rate(&self) -> f64 {
        self.transitions as f64 / self.seconds
    }

    fn bytes_per_state(&self) -> f64 {
        self.peak_bytes as f64 / self.states as f64
    }
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

fn measure_here(searcher: &str, system: Searched, threads: usize) -> Measured {
    let toy = match system {
        Searched::Toy(toy) => toy,
        Searched::Product(scope) => return measure_product(searcher, *scope, threads),
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

fn measure_product(searcher: &str, scope: Scope, threads: usize) -> Measured {
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
