//! Judging one fault.

use super::patch::{CANARY, CONTROL, Fault};
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
    /// By what: the campaign, or else the conformance corpus.
    pub by: String,
    /// The rules that it broke, the one that speaks most directly first.
    pub rules: Vec<String>,
    /// Operations performed until then; 0 where they are not counted.
    pub operations: u64,
    /// Seconds until then, minimising included.
    pub seconds: f64,
    /// Operations of the minimised trace; 0 where there is none.
    pub trace: u64,
    /// Whether the conformance corpus alone catches it too.
    pub by_corpus: bool,
}

impl Scored {
    /// How it was caught, if it was.
    pub fn caught(&self) -> Option<&Caught> {
        match &self.score {
            Score::Caught(caught) => Some(caught),
            _ => None,
        }
    }

    /// Whether it is a fault, and not there to check the scoring.
    pub fn counts(&self) -> bool {
        ![CANARY, CONTROL].contains(&self.fault.as_str())
    }

    /// Whether the rule that its header names is among those that it broke.
    pub fn by_expected_rule(&self) -> bool {
        self.caught()
            .is_some_and(|caught| caught.rules.contains(&self.expected))
    }

    /// In one line, for who waits.
    pub fn line(&self) -> String {
        match &self.score {
            Score::Caught(caught) => {
                format!(
                    "{}: {} by {}",
                    self.fault,
                    caught.by,
                    caught.rules.join(", ")
                )
            }
            Score::Missed => format!("{}: not caught", self.fault),
            Score::Unusable(problem) => format!("{}: {problem}", self.fault),
        }
    }
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
pub fn score(tree: &Tree, fault: &Fault, seed: u64, seconds: u64) -> Scored {
    let score = match tree.apply(&fault.file) {
        Err(problem) => Score::Unusable(problem),
        Ok(()) => {
            let score = tree
                .build()
                .and_then(|program| judge(tree.root(), &program, seed, seconds))
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

fn judge(root: &Path, program: &Path, seed: u64, seconds: u64) -> Result<Score, String> {
    let conformance: Conformance = ask(root, program, &["conform", "--format", "json"])?;
    let is_violated = |rule: &Rule| rule.verdict == "violated";
    let violated = conformance.rules.into_iter().filter(is_violated);
    let broken: Vec<String> = violated.map(|rule| rule.id).collect();
    let findings = root.join("target/findings");
    let start = Instant::now();
    let campaign: Campaign = ask(
        root,
        program,
        &[
            "campaign",
            "--format",
            "json",
            "--jobs",
            "1",
            "--seed",
            &seed.to_string(),
            "--time",
            &seconds.to_string(),
            "--findings",
            &findings.display().to_string(),
        ],
    )?;
    let by_corpus = !broken.is_empty();
    Ok(match campaign.finding {
        Some(finding) => Score::Caught(Caught {
            by: "campaign".to_owned(),
            rules: finding.rules,
            operations: campaign.operations,
            seconds: start.elapsed().as_secs_f64(),
            trace: finding.operations,
            by_corpus,
        }),
        None if by_corpus => Score::Caught(Caught {
            by: "conformance corpus".to_owned(),
            rules: broken,
            operations: 0,
            seconds: 0.0,
            trace: 0,
            by_corpus,
        }),
        None => Score::Missed,
    })
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
