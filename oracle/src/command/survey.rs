//! What `campaign` does with a target that is judged to the end: a list of all it was seen to do
//! otherwise.

use super::campaign::Arguments;
use super::progress::Progress;
use super::{Failure, Format, Verdict, contract, output};
use nommu_oracle::campaign::Plan;
use nommu_oracle::finding::{self, Finding};
use nommu_oracle::specs::specs;
use nommu_oracle::survey::{self, Class, Filed, Known, Report, Standing};
use nommu_oracle::target::Effort;
use nommu_oracle::trace::Trace;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What a survey came to, for programs.
#[derive(Serialize)]
struct Shown {
    target: String,
    seed: u64,
    shard: String,
    profile: String,
    traces: u64,
    operations: u64,
    /// How many classes of divergence are not known; how many of the others were only seen after
    /// known ones, and how many were not seen again.
    new: usize,
    following: usize,
    fleeting: usize,
    classes: Vec<ShownClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    /// What it took to run the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<Effort>,
}

#[derive(Serialize)]
struct ShownClass {
    /// Whether it is known, follows from what is known, is new, or was not seen again.
    standing: &'static str,
    /// The known deviations that it has to do with.
    known: Vec<String>,
    /// How often it was seen.
    times: u64,
    /// Operations that were performed when it was seen first.
    after: u64,
    #[serde(flatten)]
    finding: Finding,
}

/// Runs the survey that the arguments ask for.
pub fn run(arguments: &Arguments, plan: &Plan, stop: &AtomicBool) -> Result<Verdict, Failure> {
    let name = &arguments.target.target;
    let known = known(&name.to_string())?;
    let mut progress = Progress::new(plan.operations, contract::rule_ids().len());
    let mut keeper = Keeper {
        arguments,
        plan,
        kept: Vec::new(),
    };
    let started = Instant::now();
    let report = survey::run(plan, &known, name.make(), stop, |so_far, classes| {
        keeper.keep(classes);
        let seen = (so_far.tally.rules.iter()).filter(|rule| rule.held > 0);
        progress.tell(
            so_far.tally.performed,
            seen.count(),
            so_far.traces,
            classes.len(),
        );
    });
    keeper.keep(&report.classes);
    progress.end();
    let seconds = arguments.timing.then(|| started.elapsed().as_secs_f64());
    let findings = keeper.kept;
    let mut out = anstream::stdout().lock();
    match arguments.format {
        Format::Text => write_text(&mut out, arguments, plan, &report, &findings, seconds)?,
        Format::Json => write_json(&mut out, arguments, plan, &report, findings, seconds)?,
    }
    let counts = Counts::of(&report);
    if let Some(error) = report.broke {
        return Err(error.into());
    }
    Ok(match counts.new + counts.fleeting {
        0 => Verdict::Agrees,
        _ => Verdict::Diverges,
    })
}

/// How many classes there are, by how they stand to what is known.
struct Counts {
    known: usize,
    following: usize,
    new: usize,
    fleeting: usize,
}

impl Counts {
    fn of(report: &Report) -> Self {
        let groups = report.groups();
        let count = |wanted: fn(&Standing) -> bool| {
            let classes = groups.iter().flatten();
            classes.filter(|class| wanted(&class.standing)).count()
        };
        Self {
            known: count(|standing| matches!(standing, Standing::Known(_))),
            following: count(|standing| matches!(standing, Standing::Follows(_))),
            new: count(|standing| matches!(standing, Standing::New)),
            fleeting: count(|standing| matches!(standing, Standing::Fleeting)),
        }
    }

    fn all(&self) -> usize {
        self.known + self.following + self.new + self.fleeting
    }
}

/// What is known of a target, with the traces that show it where they can be found.
fn known(target: &str) -> Result<Vec<Known>, Failure> {
    let all = specs().deviations.iter();
    let deviations = all
        .filter(|known| known.target == target)
        .flat_map(|known| &known.deviations);
    deviations
        .map(|deviation| {
            let traces = deviation
                .traces
                .iter()
                .filter_map(|path| filed(target, path).transpose());
            Ok(Known {
                id: deviation.id.clone(),
                rules: deviation.rules.clone(),
                traces: traces.collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

/// A trace of the corpus with what a target once answered to it; none where there is no corpus.
fn filed(target: &str, path: &str) -> Result<Option<Filed>, Failure> {
    let corpus = Path::new("corpus");
    let Some(text) = read(&corpus.join(path))? else {
        return Ok(None);
    };
    let trace = Trace::parse(path, text.as_bytes())
        .map_err(|problem| Failure::Misuse(problem.to_string()))?;
    let name = Path::new(path).file_name().unwrap_or_default();
    let records = corpus.join("transcripts").join(target).join("findings");
    let record = read(&records.join(name).with_extension("transcript"))?;
    Ok(Some(Filed { trace, record }))
}

/// A file of the corpus; none where there is no such file.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Misuse(format!(
            "error: {}: {error}",
            path.display()
        ))),
    }
}

/// Keeps what new classes show as soon as it is found, and what shows it more plainly instead.
struct Keeper<'a> {
    arguments: &'a Arguments,
    plan: &'a Plan,
    kept: Vec<Kept>,
}

/// What is kept of a class.
struct Kept {
    /// How many operations show it, which only becomes fewer, and how it stood to what is known.
    length: usize,
    standing: Standing,
    finding: Finding,
    /// What is to be said of that.
    words: Option<String>,
    /// The file that was written for it.
    written: Option<PathBuf>,
}

impl Keeper<'_> {
    fn keep(&mut self, classes: &[Class]) {
        for (place, class) in classes.iter().enumerate() {
            let length = class.trace.lines.len();
            match self.kept.get_mut(place) {
                Some(kept) if class.same_as.is_some() => remove(kept.written.take()),
                Some(kept) if (kept.length, &kept.standing) == (length, &class.standing) => {}
                Some(kept) => {
                    remove(kept.written.take());
                    self.kept[place] = self.of(class);
                }
                None => self.kept.push(self.of(class)),
            }
        }
    }

    fn of(&self, class: &Class) -> Kept {
        let target = &self.arguments.target.target;
        let origin = format!(
            "a campaign, seed {}, trace {}",
            self.plan.seed, class.number
        );
        let (trace, divergence) = (class.trace.clone(), class.divergence.clone());
        let length = class.length;
        let mut kept = Kept {
            length: trace.lines.len(),
            standing: class.standing.clone(),
            finding: Finding::new(target, trace, divergence, length, &origin),
            words: None,
            written: None,
        };
        if matches!(class.standing, Standing::Known(_)) {
            return kept;
        }
        let folder = self.arguments.findings.clone();
        let folder = folder.unwrap_or_else(|| finding::folder(target));
        match kept.finding.keep(&folder) {
            Ok(filed) => {
                kept.words = Some(filed.to_string());
                kept.written = filed.written();
            }
            Err(error) => output::error(&error),
        }
        kept
    }
}

/// Removes what was written, of which there is a plainer one now.
fn remove(written: Option<PathBuf>) {
    if let Some(path) = written
        && let Err(error) = std::fs::remove_file(&path)
    {
        let path = path.display();
        output::error(&format!("{path}: there is a plainer one now: {error}"));
    }
}

fn write_text(
    out: &mut impl Write,
    arguments: &Arguments,
    plan: &Plan,
    report: &Report,
    findings: &[Kept],
    seconds: Option<f64>,
) -> Result<(), Failure> {
    writeln!(
        out,
        "{}, seed {}, profile {}: {} operations in {} traces",
        arguments.target.target,
        plan.seed,
        plan.generator.profile,
        report.tally.performed,
        report.traces
    )?;
    if let Some(seconds) = seconds {
        let rate = report.tally.performed as f64 / seconds;
        writeln!(out, "{seconds:.2} seconds, {rate:.0} operations a second")?;
        write_effort(out, report)?;
    }
    let finding = |class: &Class| {
        let place = (report.classes.iter()).position(|other| std::ptr::eq(other, class));
        place.and_then(|place| findings.get(place))
    };
    let groups = report.groups();
    for (number, group) in groups.iter().enumerate() {
        let Some(kept) = finding(group[0]) else {
            continue;
        };
        write_group(out, number + 1, group, &kept.finding)?;
        if let Some(words) = &kept.words {
            writeln!(out, "   {words}")?;
        }
        for other in &group[1..] {
            if let Some(kept) = finding(other) {
                write_other(out, other, &kept.finding)?;
            }
        }
    }
    let counts = Counts::of(report);
    let said = said(&counts, deviations(&groups));
    match (counts.all(), counts.new + counts.fleeting) {
        // What could not be run showed nothing.
        (0, _) if report.broke.is_some() => {}
        (0, _) => writeln!(out, "\n{}", output::good("no divergence"))?,
        (_, 0) => writeln!(out, "\n{}", output::good(&said))?,
        _ => writeln!(out, "\n{}", output::bad(&said))?,
    }
    Ok(())
}

/// What all classes come to.
fn said(counts: &Counts, deviations: usize) -> String {
    let mut said = format!(
        "{} classes of divergence: {} known, as {deviations} of the known deviations",
        counts.all(),
        counts.known
    );
    if counts.following > 0 {
        said.push_str(&format!(", {} only after known ones", counts.following));
    }
    said.push_str(&format!(", {} new", counts.new));
    if counts.fleeting > 0 {
        said.push_str(&format!(", {} not seen again", counts.fleeting));
    }
    said
}

/// How many deviations were seen.
fn deviations(groups: &[Vec<&Class>]) -> usize {
    let seen: BTreeSet<&str> = (groups.iter().flatten())
        .filter(|class| matches!(class.standing, Standing::Known(_)))
        .flat_map(|class| class.standing.ids())
        .map(String::as_str)
        .collect();
    seen.len()
}

/// What the time went into.
fn write_effort(out: &mut impl Write, report: &Report) -> Result<(), Failure> {
    let effort = &report.effort;
    let rows = [
        (
            effort.starting,
            format!(
                "starting: {} boots, {} copies of a machine, {} put back",
                effort.boots, effort.copies, effort.put_back
            ),
        ),
        (
            effort.resetting,
            format!("resetting, {} times", effort.resets),
        ),
        (
            effort.performing,
            format!("performing {} operations in all", effort.operations),
        ),
    ];
    for (time, what) in rows {
        writeln!(out, "{:8.2} seconds {what}", time.as_secs_f64())?;
    }
    writeln!(out, "{} divergences looked into", report.looked_into)?;
    Ok(())
}

/// What a group of classes is known as, and the plainest trace that shows it.
fn write_group(
    out: &mut impl Write,
    number: usize,
    group: &[&Class],
    finding: &Finding,
) -> Result<(), Failure> {
    let class = group[0];
    let rule = finding.rules.first().map_or("no rule", String::as_str);
    let known = match &class.standing {
        Standing::Known(ids) => output::hint(&format!("known as {}", ids.join(", "))),
        Standing::Follows(ids) if ids.is_empty() => output::hint("only after others"),
        Standing::Follows(ids) => output::hint(&format!("only after {}", ids.join(", "))),
        Standing::New => output::bad("new"),
        Standing::Fleeting => output::bad("not seen again"),
    };
    let times: u64 = group.iter().map(|class| class.times).sum();
    let after = group.iter().map(|class| class.after).min();
    writeln!(
        out,
        "\n{number}. {rule}, {known}: {times} times, first after {} operations; {} of {} operations left",
        after.unwrap_or_default(),
        finding.operations,
        class.found
    )?;
    for line in finding.trace.lines() {
        writeln!(out, "   {line}")?;
    }
    Ok(())
}

/// Another way in which the same shows.
fn write_other(out: &mut impl Write, class: &Class, finding: &Finding) -> Result<(), Failure> {
    let rule = finding.rules.first().map_or("no rule", String::as_str);
    let last = (finding.divergence.operation.as_deref()).unwrap_or("the end of the trace");
    writeln!(
        out,
        "   also {rule}, {} times, first after {} operations, in {}: {last}: {}",
        class.times,
        class.after,
        finding.operations,
        class.divergence.ending()
    )?;
    Ok(())
}

/// What programs call it.
fn name(standing: &Standing) -> &'static str {
    match standing {
        Standing::Known(_) => "known",
        Standing::Follows(_) => "follows",
        Standing::New => "new",
        Standing::Fleeting => "fleeting",
    }
}

fn write_json(
    out: &mut impl Write,
    arguments: &Arguments,
    plan: &Plan,
    report: &Report,
    findings: Vec<Kept>,
    seconds: Option<f64>,
) -> Result<(), Failure> {
    let classes =
        (report.classes.iter().zip(findings)).filter(|(class, _)| class.same_as.is_none());
    let counts = Counts::of(report);
    let shown = Shown {
        target: arguments.target.target.to_string(),
        seed: plan.seed,
        shard: format!("{}/{}", plan.shard.index, plan.shard.count),
        profile: plan.generator.profile.clone(),
        traces: report.traces,
        operations: report.tally.performed,
        new: counts.new,
        following: counts.following,
        fleeting: counts.fleeting,
        classes: classes
            .map(|(class, kept)| ShownClass {
                standing: name(&class.standing),
                known: class.standing.ids().to_vec(),
                times: class.times,
                after: class.after,
                finding: kept.finding,
            })
            .collect(),
        seconds,
        effort: seconds.map(|_| report.effort),
    };
    let json = serde_json::to_string_pretty(&shown).expect("it is plain data");
    writeln!(out, "{json}")?;
    Ok(())
}
