//! The scores that are kept: `corpus/faults/scores.json`, a line for each fault.

use super::judge::{Method, Score, Scored};
use super::patch::{CANARY, CONTROL, Fault};
use nommu_model::rules;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is kept of the scores: everything but times, which no two machines share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores {
    /// All of it in a sentence.
    pub summary: String,
    /// By name.
    pub faults: Vec<Kept>,
}

/// The score of one fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The fault.
    pub fault: String,
    /// The rule that its header names.
    pub expected: String,
    /// What caught it, the strongest first; nothing when it was missed.
    pub caught: Vec<Method>,
    /// The rules that it broke, the one that speaks most directly first.
    pub rules: Vec<String>,
    /// The other rules that it broke where the rest caught it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Operations of the shortest trace; 0 where there is none.
    pub trace: u64,
}

impl Kept {
    /// What is to be kept of a score; nothing of one that is none.
    fn of(scored: &Scored) -> Option<Self> {
        let caught = match &scored.score {
            Score::Unusable(_) => return None,
            Score::Missed => None,
            Score::Caught(caught) => Some(caught),
        };
        Some(Self {
            fault: scored.fault.clone(),
            expected: scored.expected.clone(),
            caught: caught.map_or(Vec::new(), |caught| caught.by.clone()),
            rules: caught.map_or(Vec::new(), |caught| caught.rules.clone()),
            also: caught.map_or(Vec::new(), |caught| caught.also.clone()),
            trace: caught.map_or(0, |caught| caught.trace),
        })
    }

    /// Whether it is a fault, and not there to check the scoring.
    pub fn counts(&self) -> bool {
        ![CANARY, CONTROL].contains(&self.fault.as_str())
    }

    fn is_caught(&self) -> bool {
        !self.caught.is_empty()
    }

    fn by_expected_rule(&self) -> bool {
        self.in_first_trace() || self.also.contains(&self.expected)
    }

    fn in_first_trace(&self) -> bool {
        self.rules.contains(&self.expected)
    }
}

impl Scores {
    /// Where they are kept.
    pub fn file(workspace: &Path) -> PathBuf {
        workspace.join("corpus/faults/scores.json")
    }

    /// Reads them; there are none where there is no file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(format!("{}: {error}", file.display())),
        };
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Writes them. What is there is replaced at once: who is interrupted leaves the old or the new.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), String> {
        let new = file.with_extension("json.new");
        std::fs::write(&new, self.render()?)
            .and_then(|()| std::fs::rename(&new, file))
            .map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Puts new scores in the place of old ones, and forgets those of faults that are not there
    /// any more.
    pub fn update(&mut self, faults: &[Fault], scores: &[Scored]) {
        self.faults
            .retain(|kept| faults.iter().any(|fault| fault.id == kept.fault));
        // Which rule a fault is for may be decided anew without judging it again.
        for kept in &mut self.faults {
            if let Some(fault) = faults.iter().find(|fault| fault.id == kept.fault) {
                kept.expected.clone_from(&fault.rule);
            }
        }
        for kept in scores.iter().filter_map(Kept::of) {
            self.faults.retain(|old| old.fault != kept.fault);
            self.faults.push(kept);
        }
        self.faults.sort_by(|a, b| a.fault.cmp(&b.fault));
        self.summary = self.summarise();
    }

    /// All of it in a sentence.
    pub fn summarise(&self) -> String {
        let faults: Vec<&Kept> = self.faults.iter().filter(|kept| kept.counts()).collect();
        let count = |is: &dyn Fn(&Kept) -> bool| faults.iter().filter(|kept| is(kept)).count();
        let methods: Vec<String> = Method::ALL
            .iter()
            .map(|method| {
                let caught = count(&|kept| kept.caught.contains(method));
                format!("{caught} by {}", method.words())
            })
            .collect();
        let traces: Vec<u64> = faults
            .iter()
            .map(|kept| kept.trace)
            .filter(|&trace| trace > 0)
            .collect();
        let mean = traces.iter().sum::<u64>() as f64 / traces.len().max(1) as f64;
        format!(
            "caught {} of {} faults ({}), {} by the expected rule, {} of them where the first of these \
             caught it, {} by that rule first; {mean:.1} operations in the shortest trace on average",
            count(&Kept::is_caught),
            faults.len(),
            methods.join(", "),
            count(&Kept::by_expected_rule),
            count(&Kept::in_first_trace),
            count(&|kept| kept.rules.first() == Some(&kept.expected)),
        )
    }

    /// Whether a fault is on record as caught.
    pub fn caught(&self, fault: &str) -> bool {
        let mut known = self.faults.iter().filter(|kept| kept.fault == fault);
        known.any(Kept::is_caught)
    }

    /// The rules that no fault broke, in the order of the document.
    pub fn silent_rules(&self) -> Vec<&'static str> {
        let caught = |id: &str| {
            let mut faults = self.faults.iter();
            faults.any(|kept| kept.rules.iter().chain(&kept.also).any(|rule| rule == id))
        };
        rules::all()
            .map(|rule| rule.id)
            .filter(|id| !caught(id))
            .collect()
    }

    /// As text: JSON, with a line for each fault.
    ///
    /// # Errors
    ///
    /// None that plain data has.
    pub fn render(&self) -> Result<String, String> {
        let lines: Result<Vec<String>, _> = self.faults.iter().map(serde_json::to_string).collect();
        let summary = serde_json::to_string(&self.summary);
        let lines = lines.map_err(|error| error.to_string())?.join(",\n");
        let summary = summary.map_err(|error| error.to_string())?;
        Ok(format!(
            "{{\n\"summary\": {summary},\n\"faults\": [\n{lines}\n]\n}}\n"
        ))
    }
}
