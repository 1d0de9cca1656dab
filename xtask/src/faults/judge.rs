//! Judging one fault.

use super::patch::Fault;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a fault came to.
#[derive(Clone, Debug, Serialize)]
pub struct Scored {
    /// The fault.
    pub fault: String,
    /// The rule that its header names; nothing where it names none.
    pub expected: String,
    /// Whether it is a patch from elsewhere.
    #[serde(skip)]
    pub foreign: bool,
    /// What it came to.
    pub score: Score,
}

/// Whether a fault was caught.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// It was.
    Caught(Caught),
    /// It was not.
    Missed,
    /// It does not apply, build or run: why.
    Unusable(String),
}

/// How a fault was caught.
#[derive(Clone, Debug, Serialize)]
pub struct Caught {
    /// By what, the strongest first.
    pub by: Vec<Method>,
    /// The rules that it broke where the first of these caught it, the one that speaks most
    /// directly first.
    pub rules: Vec<String>,
    /// The other rules that it broke where the rest of these caught it.
    pub also: Vec<String>,
    /// What each of them found, in the same order.
    pub found: Vec<Found>,
    /// Operations that the campaign performed until then; 0 where they are not counted.
    pub operations: u64,
    /// Seconds that the campaign took until then.
    pub seconds: f64,
    /// Seconds that minimising took after that.
    pub minimising: f64,
    /// Operations of the shortest trace that is known; 0 where there is none.
    pub trace: u64,
}

/// What a method found.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The rules that it broke, the one that speaks most directly first.
    pub rules: Vec<String>,
    /// Operations of its shortest trace; 0 where it keeps none.
    pub operations: u64,
    /// The trace; nothing where it keeps none.
    pub trace: String,
}

impl Caught {
    /// What there is to say when a campaign did not end: some call was never answered.
    fn endless(after: Duration) -> Self {
        let rules = vec![ANSWERED.to_owned()];
        Self {
            by: vec![Method::Campaign],
            found: vec![Found {
                rules: rules.clone(),
                operations: 0,
                trace: String::new(),
            }],
            rules,
            also: Vec::new(),
            operations: 0,
            seconds: after.as_secs_f64(),
            minimising: 0.0,
            trace: 0,
        }
    }

    /// The shortest trace, as text.
    pub fn text(&self) -> Option<&str> {
        let traces = self.found.iter().filter(|found| !found.trace.is_empty());
        let shortest = traces.min_by_key(|found| found.operations)?;
        Some(&shortest.trace)
    }
}

/// What may catch a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A campaign of generated traces.
    Campaign,
    /// Every short sequence of operations of the scopes.
    Scopes,
    /// The conformance corpus.
    Corpus,
}

impl Method {
    /// All, the strongest first.
    pub const ALL: [Method; 3] = [Method::Campaign, Method::Scopes, Method::Corpus];

    /// As words.
    pub fn words(self) -> &'static str {
        match self {
            Method::Campaign => "campaign",
            Method::Scopes => "scopes",
            Method::Corpus => "corpus",
        }
    }
}

/// How much may be spent on one fault.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The seed of the campaign.
    pub seed: u64,
    /// Seconds of the campaign.
    pub seconds: u64,
    /// Operations of the sequences of each scope.
    pub depth: u32,
}

impl Scored {
    /// How it was caught, if it was.
    pub fn caught(&self) -> Option<&Caught> {
        match &self.score {
            Score::Caught(caught) => Some(caught),
            _ => None,
        }
    }

    /// In one line, for who waits.
    pub fn line(&self) -> String {
        match &self.score {
            Score::Caught(caught) => {
                format!(
                    "{}: {} by {}",
                    self.fault,
                    words(&caught.by),
                    caught.rules.join(", ")
                )
            }
            Score::Missed => format!("{}: not caught", self.fault),
            Score::Unusable(problem) => format!("{}: {problem}", self.fault),
        }
    }
}

/// The names of methods.
pub fn words(methods: &[Method]) -> String {
    let words: Vec<&str> = methods.iter().map(|method| method.words()).collect();
    words.join(", ")
}

/// What `campaign --format json` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Campaign {
    operations: u64,
    seconds: f64,
    finding: Option<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    rules: Vec<String>,
    operations: u64,
    trace: String,
    divergence: Option<Divergence>,
}

impl Finding {
    /// Whether the engine never answered.
    fn hangs(&self) -> bool {
        (self.divergence.as_ref()).is_some_and(|divergence| divergence.seen.contains(SILENCE))
    }
}

/// What it says of a divergence, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Divergence {
    seen: String,
}

/// How an answer is told of that does not come.
const SILENCE: &str = "found silence for ";

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self {
            rules: finding.rules,
            operations: finding.operations,
            trace: finding.trace,
        }
    }
}

/// What `check --format json` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Explored {
    scopes: Vec<Checked>,
}

/// What it says of a scope.
#[derive(Debug, Deserialize)]
struct Checked {
    violations: Vec<Finding>,
}

/// What `conform --format json` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Conformance {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    id: String,
    verdict: String,
}

impl Scored {
    /// What a fault came to.
    pub fn new(fault: &Fault, score: Score) -> Self {
        Self {
            fault: fault.id.clone(),
            expected: fault.rule.clone(),
            foreign: fault.foreign,
            score,
        }
    }
}

/// Judges what was built with a fault, in a copy of the workspace.
///
/// # Errors
///
/// When the program cannot be run, or does not say what came of it.
pub fn judge(root: &Path, program: &Path, budget: Budget) -> Result<Score, String> {
    let start = Instant::now();
    let Some(campaign) = campaign(root, program, budget)? else {
        return Ok(Score::Caught(Caught::endless(start.elapsed())));
    };
    let total = start.elapsed().as_secs_f64();
    let Campaign {
        operations,
        seconds,
        finding,
    } = campaign;
    // What is wrong before the first operation leaves nothing to explore, and who explores waits
    // for an operation that never ends.
    let not_explored = finding
        .as_ref()
        .is_some_and(|finding| finding.operations == 0 || finding.hangs());
    let shortest = if not_explored {
        None
    } else {
        scopes(root, program, budget)?
    };
    let broken = corpus(root, program)?;
    let corpus = (!broken.is_empty()).then_some(Found {
        rules: broken,
        operations: 0,
        trace: String::new(),
    });
    let methods = [
        (Method::Campaign, finding.map(Found::from)),
        (Method::Scopes, shortest.map(Found::from)),
        (Method::Corpus, corpus),
    ];
    let (mut by, mut found) = (Vec::new(), Vec::new());
    for (method, finding) in methods {
        if let Some(finding) = finding {
            by.push(method);
            found.push(finding);
        }
    }
    let Some(first) = found.first() else {
        return Ok(Score::Missed);
    };
    let rules = first.rules.clone();
    let others = found[1..].iter().flat_map(|found| found.rules.clone());
    let mut also: Vec<String> = others.filter(|rule| !rules.contains(rule)).collect();
    also.sort_unstable();
    also.dedup();
    let traces = found.iter().filter(|found| !found.trace.is_empty());
    let trace = traces.map(|found| found.operations).min().unwrap_or(0);
    let by_campaign = by.contains(&Method::Campaign);
    let counted = |seconds: f64| if by_campaign { seconds } else { 0.0 };
    Ok(Score::Caught(Caught {
        rules,
        also,
        operations: if by_campaign { operations } else { 0 },
        seconds: counted(seconds),
        minimising: counted(total - seconds),
        trace,
        by,
        found,
    }))
}

fn campaign(root: &Path, program: &Path, budget: Budget) -> Result<Option<Campaign>, String> {
    let findings = root.join("target/findings").display().to_string();
    let (seed, seconds) = (budget.seed.to_string(), budget.seconds.to_string());
    let mut arguments = vec!["campaign", "--format", "json", "--timing", "--jobs", "1"];
    arguments.extend(["--seed", &seed, "--time", &seconds, "--findings", &findings]);
    ask(root, program, &arguments)
}

/// The shortest violation that exploring the scopes comes to; none without a depth.
fn scopes(root: &Path, program: &Path, budget: Budget) -> Result<Option<Finding>, String> {
    if budget.depth == 0 {
        return Ok(None);
    }
    let findings = root.join("target/findings").display().to_string();
    let depth = budget.depth.to_string();
    let mut arguments = vec!["check", "--quick", "--format", "json", "--threads", "1"];
    arguments.extend(["--depth", &depth, "--findings", &findings]);
    let Some(explored): Option<Explored> = ask(root, program, &arguments)? else {
        return Ok(None);
    };
    let violations = explored
        .scopes
        .into_iter()
        .flat_map(|checked| checked.violations);
    Ok(violations.min_by_key(|finding| finding.operations))
}

/// The rules that the conformance corpus shows to be broken.
fn corpus(root: &Path, program: &Path) -> Result<Vec<String>, String> {
    let arguments = ["conform", "--format", "json"];
    let Some(conformance): Option<Conformance> = ask(root, program, &arguments)? else {
        return Ok(vec![ANSWERED.to_owned()]);
    };
    let is_violated = |rule: &Rule| rule.verdict == "violated";
    let violated = conformance.rules.into_iter().filter(is_violated);
    Ok(violated.map(|rule| rule.id).collect())
}

/// How long a method may take: many times what it takes on a slow machine. An engine with a fault
/// may never answer.
const PATIENCE: Duration = Duration::from_secs(240);
/// The exit status of what could not be run to its end.
const NOT_RUN: i32 = 3;
/// The rule that wants every call answered.
const ANSWERED: &str = "errors-change-nothing";

/// Runs the command and reads its answer. That it diverges is an answer; none where it did not
/// end.
fn ask<T: serde::de::DeserializeOwned>(
    root: &Path,
    program: &Path,
    arguments: &[&str],
) -> Result<Option<T>, String> {
    let named = || format!("nommu-oracle {}", arguments.join(" "));
    let wrong = |error: std::io::Error| format!("{}: {error}", named());
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(wrong)?;
    // Both are read as they are written: who waits for a full pipe does not end.
    let read = |from: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.map_or(Ok(0), |mut from| from.read_to_end(&mut bytes))
                .map(|_| bytes)
        })
    };
    let out = read(child.stdout.take().map(|out| Box::new(out) as _));
    let said = read(child.stderr.take().map(|said| Box::new(said) as _));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(wrong)? {
            break status;
        }
        if started.elapsed() > PATIENCE {
            // It does not mind being asked to end.
            child.kill().map_err(wrong)?;
            child.wait().map_err(wrong)?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // An operation did not end, and there is nothing to say of what was explored.
    if status.code() == Some(NOT_RUN) && arguments.first() == Some(&"check") {
        return Ok(None);
    }
    let read = |bytes: JoinHandle<std::io::Result<Vec<u8>>>| {
        bytes
            .join()
            .unwrap_or_else(|_| Ok(Vec::new()))
            .map_err(wrong)
    };
    let (stdout, stderr) = (read(out)?, read(said)?);
    let answer = serde_json::from_slice(&stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&stderr);
        format!("{}: {status}, {error}: {}", named(), said.trim())
    })?;
    Ok(Some(answer))
}
