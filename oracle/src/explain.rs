//! What a rule, a gap or a deviation is: its words, its lines, how it is checked, and where it
//! can be seen.

use crate::specs::{Deviation, RuleSpec, specs};
use serde::Serialize;

/// Everything that is known of one id.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Explanation {
    /// A rule of the document, or what is required where it is silent.
    Rule(RuleExplanation),
    /// Where an implementation is known to differ.
    Deviation(DeviationExplanation),
}

/// Everything that is known of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleExplanation {
    /// Its id.
    pub id: String,
    /// The section of the document; `gaps` for what the document leaves open.
    pub section: String,
    /// Its lines in the document.
    pub lines: String,
    /// must, should or may.
    pub level: String,
    /// What it says.
    pub words: String,
    /// What has to be observable for it to be judged.
    pub needs: Vec<String>,
    /// Which operations it judges.
    pub operations: Vec<String>,
    /// What the document leaves open, and why this is required; for a gap.
    pub gap: Option<GapExplanation>,
    /// Traces of the conformance corpus for it.
    pub traces: Vec<String>,
    /// Known differences from it, each with its target.
    pub deviations: Vec<DeviationExplanation>,
}

/// What the document leaves open.
#[derive(Clone, Debug, Serialize)]
pub struct GapExplanation {
    /// What is open.
    pub open: String,
    /// Why it is settled so.
    pub why: String,
}

/// Everything that is known of a deviation.
#[derive(Clone, Debug, Serialize)]
pub struct DeviationExplanation {
    /// Its id.
    pub id: String,
    /// The implementations.
    pub targets: Vec<String>,
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// What it differs from.
    pub lines: String,
    /// What the document says.
    pub document: String,
    /// What the implementation does.
    pub implementation: String,
    /// Why.
    pub why: String,
    /// Whose fault it is.
    pub class: String,
    /// Since which version.
    pub since: String,
    /// The traces that show it.
    pub traces: Vec<String>,
}

/// Explains an id; `traces` are the names of the conformance traces.
pub fn explain(id: &str, traces: &[String]) -> Option<Explanation> {
    if let Some(rule) = specs().rule(id) {
        return Some(Explanation::Rule(explain_rule(&rule, traces)));
    }
    explain_deviation(id).map(Explanation::Deviation)
}

/// All ids that can be explained, rules first.
pub fn ids() -> Vec<&'static str> {
    let mut ids: Vec<&str> = specs().rules().map(|rule| rule.id).collect();
    for deviation in specs()
        .deviations
        .iter()
        .flat_map(|target| &target.deviations)
    {
        if !ids.contains(&deviation.id.as_str()) {
            ids.push(&deviation.id);
        }
    }
    ids
}

/// The conformance traces for a rule: those of its folder that are named for it.
pub fn traces_of<'a>(
    rule: &'a RuleSpec<'_>,
    traces: &'a [String],
) -> impl Iterator<Item = &'a String> {
    traces.iter().filter(|name| {
        let Some((section, name)) = name.split_once('/') else {
            return false;
        };
        let name = name.strip_suffix(".trace").unwrap_or(name);
        // A longer id that begins alike has traces of its own.
        let longest = specs()
            .rules()
            .filter(|other| {
                name.strip_prefix(other.id)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
            .map(|other| other.id)
            .max_by_key(|id| id.len());
        section == rule.section && longest == Some(rule.id)
    })
}

fn explain_rule(rule: &RuleSpec<'_>, traces: &[String]) -> RuleExplanation {
    let mut deviations: Vec<DeviationExplanation> = Vec::new();
    for deviation in specs()
        .deviations
        .iter()
        .flat_map(|target| &target.deviations)
    {
        let is_of_rule = deviation.rules.iter().any(|id| id == rule.id);
        if is_of_rule && !deviations.iter().any(|known| known.id == deviation.id) {
            deviations.extend(explain_deviation(&deviation.id));
        }
    }
    let kinds = nommu_model::rules::find(rule.id).map(|rule| rule.kinds);
    RuleExplanation {
        id: rule.id.to_owned(),
        section: rule.section.to_owned(),
        lines: rule.lines.to_string(),
        level: rule.level.to_string(),
        words: rule.words.to_owned(),
        needs: rule
            .needs
            .iter()
            .map(|need| format!("{need:?}").to_lowercase())
            .collect(),
        operations: kinds
            .into_iter()
            .flat_map(|kinds| kinds.iter_names())
            .filter(|(_, kind)| kind.bits().is_power_of_two())
            .map(|(name, _)| name.to_lowercase().replace('_', " "))
            .collect(),
        gap: rule.gap.map(|gap| GapExplanation {
            open: gap.open.clone(),
            why: gap.why.clone(),
        }),
        traces: traces_of(rule, traces).cloned().collect(),
        deviations,
    }
}

fn explain_deviation(id: &str) -> Option<DeviationExplanation> {
    let known: Vec<(&str, &Deviation)> = specs()
        .deviations
        .iter()
        .flat_map(|target| {
            target
                .deviations
                .iter()
                .map(|deviation| (target.target.as_str(), deviation))
        })
        .filter(|(_, deviation)| deviation.id == id)
        .collect();
    let (_, deviation) = known.first()?;
    Some(DeviationExplanation {
        id: deviation.id.clone(),
        targets: known
            .iter()
            .map(|(target, _)| (*target).to_owned())
            .collect(),
        rules: deviation.rules.clone(),
        lines: deviation.lines.to_string(),
        document: deviation.document.clone(),
        implementation: deviation.kernel.clone(),
        why: deviation.why.clone(),
        class: deviation.class.to_string(),
        since: deviation.since.clone(),
        traces: (known.iter())
            .flat_map(|(_, deviation)| deviation.traces.iter().cloned())
            .collect(),
    })
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Explanation::Rule(rule) => rule.fmt(formatter),
            Explanation::Deviation(deviation) => deviation.fmt(formatter),
        }
    }
}

impl std::fmt::Display for RuleExplanation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.gap.is_some() { "gap" } else { "rule" };
        writeln!(formatter, "{} ({kind}, {})", self.id, self.level)?;
        writeln!(formatter, "  {}", self.words)?;
        if let Some(gap) = &self.gap {
            writeln!(formatter, "  left open:  {}", gap.open)?;
            writeln!(formatter, "  because:    {}", gap.why)?;
        }
        writeln!(
            formatter,
            "  lines:      {} of {}",
            self.lines,
            specs().document.name
        )?;
        writeln!(formatter, "  section:    {}", self.section)?;
        writeln!(formatter, "  judges:     {}", self.operations.join(", "))?;
        writeln!(formatter, "  needs:      {}", self.needs.join(", "))?;
        for trace in &self.traces {
            writeln!(formatter, "  trace:      corpus/conformance/{trace}")?;
        }
        for deviation in &self.deviations {
            writeln!(
                formatter,
                "  deviation:  {} ({}): {}",
                deviation.id,
                deviation.targets.join(", "),
                deviation.implementation
            )?;
        }
        Ok(())
    }
}

impl std::fmt::Display for DeviationExplanation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            formatter,
            "{} (deviation of {})",
            self.id,
            self.targets.join(", ")
        )?;
        writeln!(formatter, "  document:   {}", self.document)?;
        writeln!(formatter, "  does:       {}", self.implementation)?;
        writeln!(formatter, "  because:    {}", self.why)?;
        writeln!(
            formatter,
            "  it is:      {}, since {}",
            self.class, self.since
        )?;
        writeln!(formatter, "  breaks:     {}", self.rules.join(", "))?;
        writeln!(
            formatter,
            "  lines:      {} of {}",
            self.lines,
            specs().document.name
        )?;
        for trace in &self.traces {
            writeln!(formatter, "  trace:      corpus/{trace}")?;
        }
        Ok(())
    }
}
