//! `minimise`: the shortest trace that still breaks the same rules.

use super::{Failure, ProfileArguments, TargetArguments, Verdict, contract, input, output};
use nommu_oracle::finding;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Shrink a trace that diverges, keeping the rules that it breaks.
///
/// The result is 1-minimal: nothing that is left can be left out, and no argument made plainer. Of
/// the engine, everything that could be done with what the trace names is searched for a shorter
/// one; where that comes to an end, the result is the shortest (proved).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle minimise long.trace                        writes the result to standard output
  nommu-oracle minimise long.trace --output short.trace   into a new file
  nommu-oracle minimise long.trace --target exec:./my-mmap")]
pub struct Arguments {
    /// The trace, or `-` for standard input
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    profile: ProfileArguments,
    /// A file that does not exist yet, or `-` for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let traces = input::traces(std::slice::from_ref(&arguments.trace))?;
    let [named] = traces.as_slice() else {
        return Err(Failure::Misuse(format!(
            "error: found {} traces in {}, expected one",
            traces.len(),
            arguments.trace.display()
        )));
    };
    let mut trace = named.trace.clone();
    if let Some(profile) = &arguments.profile.profile {
        trace.header.profile.clone_from(profile);
    }
    let deviations = contract::deviations(&trace.header.profile);
    let origin = format!("minimising {}", named.name);
    let target = &arguments.target.target;
    let Some(finding) = finding::minimise(target, &trace, &deviations, &origin, false)? else {
        let words = format!("{} does not diverge on {target}", named.name);
        anstream::eprintln!("{}", output::hint(&words));
        return Ok(Verdict::Agrees);
    };
    if arguments.output == Path::new("-") {
        anstream::stdout()
            .lock()
            .write_all(finding.trace.as_bytes())?;
    } else {
        write_new(&arguments.output, &finding.trace)?;
    }
    anstream::eprintln!(
        "{}from {} to {} operations, {}",
        finding.divergence,
        trace.lines.len(),
        finding.operations,
        finding.length
    );
    Ok(Verdict::Diverges)
}

/// Writes a file that must not be there yet, whole or not at all.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    nommu_oracle::findings::write_new(path, text).map_err(Failure::NotFiled)
}
