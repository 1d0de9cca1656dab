//! Judging one fault.

use super::patch::Fault;
use super::tree::Tree;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What a fault came to.
#[derive(Clone, Debug, Serialize)]
pub struct Scored {
    /// The fault.
    pub fault: String,
    /// The rule that its header names.
    pub expected: String,
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
    /// Operations that the campaign performed until then; 0 where they are not counted.
    pub operations: u64,
    /// Seconds that the campaign took until then, minimising included.
    pub seconds: f64,
    /// Operations of the shortest trace that is known; 0 where there is none.
    pub trace: u64,
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
    finding: Option<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    rules: Vec<String>,
    operations: u64,
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

/// Puts a fault in, builds, judges, and takes it out again.
pub fn score(tree: &Tree, fault: &Fault, budget: Budget) -> Scored {
    let score = match tree.apply(&fault.file) {
        Err(problem) => Score::Unusable(problem),
        Ok(()) => {
            let score = tree
                .build()
                .and_then(|program| judge(tree.root(), &program, budget))
                .unwrap_or_else(Score::Unusable);
            match tree.revert(&fault.file) {
                Ok(()) => score,
                Err(problem) => Score::Unusable(problem),
            }
        }
    };
    Scored {
        fault: fault.id.clone(),
        expected: fault.rule.clone(),
        score,
    }
}

fn judge(root: &Path, program: &Path, budget: Budget) -> Result<Score, String> {
    let start = Instant::now();
    let campaign = campaign(root, program, budget)?;
    let seconds = start.elapsed().as_secs_f64();
    let operations = campaign.operations;
    let found = campaign.finding;
    // What is wrong before the first operation leaves nothing to explore.
    let at_once = found
        .as_ref()
        .is_some_and(|finding| finding.operations == 0);
    let shortest = if at_once {
        None
    } else {
        scopes(root, program, budget)?
    };
    let broken = corpus(root, program)?;
    let mut by = Vec::new();
    let traces = [&found, &shortest];
    let trace = (traces
        .iter()
        .copied()
        .flatten()
        .map(|finding| finding.operations))
    .min();
    let mut rules = Vec::new();
    let mut also = Vec::new();
    let methods = [
        (Method::Campaign, found.map(|finding| finding.rules)),
        (Method::Scopes, shortest.map(|finding| finding.rules)),
        (Method::Corpus, (!broken.is_empty()).then_some(broken)),
    ];
    for (method, broken) in methods {
        if let Some(broken) = broken {
            if by.is_empty() {
                rules = broken;
            } else {
                also.extend(broken);
            }
            by.push(method);
        }
    }
    if by.is_empty() {
        return Ok(Score::Missed);
    }
    also.sort_unstable();
    also.dedup();
    also.retain(|rule| !rules.contains(rule));
    let by_campaign = by.contains(&Method::Campaign);
    Ok(Score::Caught(Caught {
        rules,
        also,
        operations: if by_campaign { operations } else { 0 },
        seconds: if by_campaign { seconds } else { 0.0 },
        trace: trace.unwrap_or(0),
        by,
    }))
}

fn campaign(root: &Path, program: &Path, budget: Budget) -> Result<Campaign, String> {
    let findings = root.join("target/findings").display().to_string();
    let (seed, seconds) = (budget.seed.to_string(), budget.seconds.to_string());
    let mut arguments = vec!["campaign", "--format", "json", "--jobs", "1"];
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
    let explored: Explored = ask(root, program, &arguments)?;
    let violations = explored
        .scopes
        .into_iter()
        .flat_map(|checked| checked.violations);
    Ok(violations.min_by_key(|finding| finding.operations))
}

/// The rules that the conformance corpus shows to be broken.
fn corpus(root: &Path, program: &Path) -> Result<Vec<String>, String> {
    let conformance: Conformance = ask(root, program, &["conform", "--format", "json"])?;
    let is_violated = |rule: &Rule| rule.verdict == "violated";
    let violated = conformance.rules.into_iter().filter(is_violated);
    Ok(violated.map(|rule| rule.id).collect())
}

/// Runs the command and reads its answer. That it diverges is an answer.
fn ask<T: serde::de::DeserializeOwned>(
    root: &Path,
    program: &Path,
    arguments: &[&str],
) -> Result<T, String> {
    let named = || format!("nommu-oracle {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("{}: {error}", named()))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{}: {}, {error}: {}", named(), output.status, said.trim())
    })
}
