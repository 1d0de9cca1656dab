//! A divergence as it is kept.

use crate::findings::{self, Filed, NotFiled};
use crate::lockstep::{Divergence, Lockstep};
use crate::minimise::{self, Cost, Minimised, Proof};
use crate::replay::replay;
use crate::target::TargetError;
use crate::target::engine::EngineTarget;
use crate::target::factory::{AnyTarget, TargetName};
use crate::target::pulse::{self, LIMIT};
use crate::trace::Trace;
use nommu_model::world::config::Config;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A trace at whose end a target diverges, and what is said of it.
#[derive(Serialize)]
pub struct Finding {
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// Its text.
    pub trace: String,
    /// How many operations it has.
    pub operations: usize,
    /// What is known of that number.
    pub length: Proof,
    /// What happens.
    pub divergence: Divergence,
    /// Where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
}

/// The shortest trace that breaks the same rules; none where it does not diverge. What hangs in this
/// process is minimised in another, at once where it is known that it `hangs`.
///
/// # Errors
///
/// When the target cannot be run.
pub fn minimise(
    target: &TargetName,
    trace: &Trace,
    deviations: &[String],
    origin: &str,
    hangs: bool,
) -> Result<Option<Finding>, TargetError> {
    let failure = trace.header.failure;
    let shortest = match target {
        TargetName::Engine => {
            let (trace, deviations) = (trace.clone(), deviations.to_vec());
            let here = || {
                let (trace, deviations) = (trace.clone(), deviations.clone());
                pulse::attend(LIMIT, move || {
                    let mut lockstep = Lockstep::new(EngineTarget::new());
                    minimise::shortest(&mut lockstep, &trace, &deviations, failure)
                })
            };
            match if hangs { None } else { here() } {
                Some(shortest) => shortest?,
                None => minimise_apart(target, &trace, &deviations)?,
            }
        }
        // The state of what runs elsewhere cannot be gone back to.
        _ => {
            let mut lockstep = Lockstep::new(target.make());
            let minimised = minimise::minimise(&mut lockstep, trace, deviations, failure)?;
            minimised.map(with_proof)
        }
    };
    Ok(shortest.map(|(minimised, length)| {
        let Minimised {
            mut trace,
            failure,
            divergence,
            ..
        } = minimised;
        trace.header.failure = failure;
        Finding::new(target, trace, divergence, length, origin)
    }))
}

/// How long an operation may take while a trace in which one hangs is made plainer. What comes of
/// that is held to the whole limit.
const SHORT: Duration = Duration::from_millis(500);
/// Runs that may be spent then, and how many of them one counts for that hangs.
const RUNS: u64 = 6000;
const HANG: u64 = 150;

/// Makes a trace plainer where what hangs can be ended.
fn minimise_apart(
    target: &TargetName,
    trace: &Trace,
    deviations: &[String],
) -> Result<Option<(Minimised, Proof)>, TargetError> {
    let cost = Cost {
        limit: RUNS,
        start: 0,
        hang: HANG,
        leaps: true,
        is_enough: &|| false,
    };
    let apart = |limit: Duration| Lockstep::new(target.make_apart(limit));
    let signature = Divergence::signature;
    let failure = trace.header.failure;
    let short = &mut apart(SHORT);
    let minimised = minimise::minimise_within(cost, signature, short, trace, deviations, failure)?;
    let Some(mut minimised) = minimised else {
        return Ok(None);
    };
    let config = minimised.trace.header.config(deviations.to_vec());
    let patient = &mut apart(LIMIT);
    Ok(again(patient, &minimised, &config)?.map(|divergence| {
        minimised.divergence = divergence;
        with_proof(minimised)
    }))
}
/// What it comes to once more, if that is the same.
fn again(
    lockstep: &mut Lockstep<AnyTarget>,
    minimised: &Minimised,
    config: &Config,
) -> Result<Option<Divergence>, TargetError> {
    let mut trace = minimised.trace.clone();
    trace.header.failure = minimised.failure;
    let replayed = replay(lockstep, &trace, config, |_, _, _| {})?;
    let signature = minimised.divergence.signature();
    Ok((replayed.divergence).filter(|divergence| divergence.signature() == signature))
}

/// What the way it was minimised says of its length.
fn with_proof(minimised: Minimised) -> (Minimised, Proof) {
    let length = match minimised.is_minimal {
        true => Proof::of_single(&minimised.trace),
        false => Proof::Partial,
    };
    (minimised, length)
}

/// Where findings are kept unless said otherwise.
pub fn folder(target: &TargetName) -> PathBuf {
    match target {
        TargetName::Engine => "corpus/regressions".into(),
        TargetName::Exec(_) => "corpus/findings/exec".into(),
        TargetName::Linux(_) => Path::new("corpus/findings").join(target.to_string()),
    }
}

impl Finding {
    /// Says above the trace what it is.
    pub fn new(
        target: &TargetName,
        mut trace: Trace,
        divergence: Divergence,
        length: Proof,
        origin: &str,
    ) -> Self {
        let mut said = Vec::new();
        for rule in &divergence.rules {
            let lines = match rule.lines.as_str() {
                "" => String::new(),
                lines if lines.contains(['-', ',']) => format!(" (lines {lines})"),
                line => format!(" (line {line})"),
            };
            said.push(format!("Breaks {}{lines} on {target}.", rule.id));
        }
        if said.is_empty() {
            said.push(format!("Diverges on {target}."));
        }
        for (word, text) in [
            ("Expected", &divergence.expected),
            ("Seen", &divergence.seen),
        ] {
            for line in text.lines() {
                said.push(format!("{word}: {}", shortened(line)));
            }
        }
        said.push(format!("Found by {origin}; {length}."));
        match trace.lines.first_mut() {
            Some(first) => first.above = said,
            None => trace.closing = said,
        }
        Self {
            rules: divergence
                .rules
                .iter()
                .map(|rule| rule.id.clone())
                .collect(),
            operations: trace.lines.len(),
            trace: trace.to_string(),
            divergence,
            length,
            kept: None,
        }
    }

    /// What its file is called: by the first rule that it breaks.
    pub fn stem(&self) -> &str {
        self.rules.first().map_or("divergence", String::as_str)
    }

    /// Writes it into a folder, under the name of the first rule that it breaks. Returns where
    /// it is.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep(&mut self, folder: &Path) -> Result<Filed, NotFiled> {
        let filed = findings::file(folder, self.stem(), &self.trace)?;
        self.kept = Some(filed.path().to_owned());
        Ok(filed)
    }
}

/// As much of a text as a comment should have.
fn shortened(text: &str) -> String {
    const LIMIT: usize = 200;
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = printable.take(LIMIT).collect();
    if text.chars().count() > LIMIT {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::Finding;
    use crate::lockstep::{BrokenRule, Divergence};
    use crate::minimise::Proof;
    use crate::target::factory::TargetName;
    use crate::trace::Trace;
    use insta::assert_snapshot;

    fn divergence(rules: Vec<BrokenRule>) -> Divergence {
        Divergence {
            step: Some(1),
            operation: Some("p0  exit()".into()),
            outcome: Some("= EINVAL".into()),
            expected: "allowed is only: success".into(),
            seen: "EINVAL\nand \x1b[31m more".into(),
            rules,
            difference: String::new(),
            crashed: false,
        }
    }

    #[test]
    fn a_finding_says_what_it_is() {
        let trace = Trace::parse("t", b"p0  maps()\np0  exit()\n").expect("it is a trace");
        let rules = vec![
            BrokenRule {
                id: "exit-releases".into(),
                lines: String::new(),
                words: "1 mapping is left".into(),
            },
            BrokenRule {
                id: "process-maps-listed".into(),
                lines: "150-151".into(),
                words: String::new(),
            },
        ];
        let origin = "a campaign, seed 0, trace 7";
        let finding = Finding::new(
            &TargetName::Engine,
            trace,
            divergence(rules),
            Proof::Shortest,
            origin,
        );
        assert_snapshot!(finding.trace);
        let again = Trace::parse("t", finding.trace.as_bytes()).expect("it is a trace");
        assert_eq!(again.to_string(), finding.trace);
    }

    #[test]
    fn a_finding_is_kept_even_without_a_rule_or_an_operation() {
        let folder = tempfile::tempdir().expect("there is room");
        let mut finding = Finding::new(
            &TargetName::Engine,
            Trace::default(),
            divergence(Vec::new()),
            Proof::Minimal(0),
            "nothing",
        );
        let filed = finding.keep(folder.path()).expect("it can be written");
        assert!(filed.path().ends_with("divergence.trace"), "{filed}");
        let text = std::fs::read(folder.path().join("divergence.trace")).expect("it is there");
        Trace::parse("t", &text).expect("it is a trace");
    }
}
