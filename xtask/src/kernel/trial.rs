//! Boots what was built, and sees whether it answers.

use super::Edition;
use nommu_model::op::Operation;
use nommu_model::outcome::{Outcome, Value};
use nommu_oracle::target::Target;
use nommu_oracle::target::linux::Linux;
use nommu_oracle::trace::Trace;
use std::path::Path;
use std::time::Instant;

/// Bytes of the page that is tried.
const PAGE: usize = 4096;

/// What both kinds of a kernel can do.
const TRIAL: &str = "\
p0  m0 = mmap(len=0x1000, prot=rw, flags=private)
p0  load(m0, 0x1000)
p0  munmap(m0, 0x1000)
p0  exit()
";

/// Boots both kinds, performs a few operations in each, and says how long the first answer took.
///
/// # Errors
///
/// When a machine does not start, or answers what no kernel should.
pub fn run(edition: Edition, directory: &Path) -> Result<(), String> {
    let trace = Trace::parse("trial", TRIAL.as_bytes()).map_err(|problem| problem.report(false))?;
    let operations: Vec<&Operation> = trace.operations().collect();
    for uninitialized in [true, false] {
        let mut linux = Linux::at(&edition.to_string(), directory);
        let mut config = linux.offered(trace.header.config(Vec::new()));
        config.uninitialized = uninitialized;
        let started = Instant::now();
        linux.reset(&config).map_err(|error| error.to_string())?;
        let first_answer = started.elapsed();
        for operation in &operations {
            let outcome = linux
                .perform(operation)
                .map_err(|error| error.to_string())?;
            let is_right = match &outcome {
                Outcome::Ok(Value::Bytes(bytes)) => *bytes == [0; PAGE],
                Outcome::Ok(_) => true,
                _ => false,
            };
            if !is_right {
                return Err(format!(
                    "linux {edition} boots, but found {outcome:?} for {operation:?}, expected success"
                ));
            }
        }
        let kind = match uninitialized {
            true => "permitted",
            false => "not permitted",
        };
        println!(
            "linux {edition}, uninitialised memory {kind}: first answer after {:.2} s",
            first_answer.as_secs_f64()
        );
    }
    Ok(())
}
