//! Where a divergence comes from that is not itself a known deviation.
//!
//! What is known goes on to have consequences: a list of mappings that lost one is wrong for ever,
//! and memory that is handed out twice shows it much later. A divergence whose trace needs known
//! deviations to get there is taken for what they lead to. And some do not come back at all when
//! the same is done in a fresh system.

use super::{HANG, RUNS, START, Surveyor};
use crate::lockstep::{Divergence, Stop};
use crate::minimise::{Proof, leave_out};
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use nommu_model::op::Operation;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What becomes of a divergence when its trace is run again.
pub(super) enum Again {
    /// It comes back, and this is its plain trace.
    Plain(Trace, Proof, Divergence),
    /// It comes back where the operations stay in that show these known deviations.
    Along(Trace, Divergence, Vec<String>),
    /// It does not.
    Never,
}

/// What operations come to when known deviations on the way are passed over.
struct Run {
    divergence: Divergence,
    /// How many divergences were passed over on the way, and which deviations they are known as.
    passed: usize,
    along: BTreeSet<String>,
}

impl<T: Target> Surveyor<'_, T> {
    /// The accepted deviations that a trace needs to get to its divergence.
    pub(super) fn needs(
        &mut self,
        header: &Header,
        operations: &[Operation],
        divergence: &Divergence,
        accepted: usize,
    ) -> Result<Vec<String>, TargetError> {
        let all = self.accepted[..accepted].to_vec();
        if all.is_empty() || self.comes_to(header, operations, &[], divergence)? {
            return Ok(Vec::new());
        }
        self.fewest(all, |own, fewer| {
            own.comes_to(header, operations, fewer, divergence)
        })
    }

    /// Whether operations come to much the same divergence, at the same place.
    fn comes_to(
        &mut self,
        header: &Header,
        operations: &[Operation],
        deviations: &[String],
        wanted: &Divergence,
    ) -> Result<bool, TargetError> {
        let found = self.diverges(&header.config(deviations.to_vec()), operations)?;
        Ok(found.is_some_and(|found| found.step == wanted.step && found.gist() == wanted.gist()))
    }

    /// Looks once more, in a fresh machine, for a divergence that did not come back at once. Some
    /// warnings are given once, and some damage needs what was taken out of the trace because it
    /// was known.
    pub(super) fn once_more(
        &mut self,
        whole: &Trace,
        performed: &[Operation],
        divergence: &Divergence,
        accepted: usize,
    ) -> Result<Again, TargetError> {
        self.lockstep.target_mut().begin_afresh();
        if let Some((trace, length, found)) = self.plain(whole, divergence, accepted, RUNS)? {
            return Ok(Again::Plain(trace, length, found));
        }
        self.lockstep.target_mut().begin_afresh();
        let again = match self.along(&whole.header, performed, divergence)? {
            Some(run) => self.shorten(&whole.header, performed, run)?,
            None => Again::Never,
        };
        self.lockstep.target_mut().begin_afresh();
        Ok(again)
    }

    /// Leaves operations out as long as the rest comes to the same along known deviations.
    fn shorten(
        &mut self,
        header: &Header,
        performed: &[Operation],
        mut run: Run,
    ) -> Result<Again, TargetError> {
        let mut operations = performed.to_vec();
        let cost = |run: Option<&Run>| match run {
            Some(run) if run.divergence.hangs() => HANG,
            Some(run) if run.divergence.crashed => START,
            _ => 1,
        };
        let mut spent = cost(Some(&run));
        let over = leave_out(operations.clone(), |fewer| {
            if spent >= RUNS || self.end.is_here() {
                return ControlFlow::Break(Ok(()));
            }
            let shorter = match self.along(header, &fewer, &run.divergence) {
                Ok(shorter) => shorter,
                Err(error) => return ControlFlow::Break(Err(error)),
            };
            spent += cost(shorter.as_ref());
            ControlFlow::Continue(shorter.map(|shorter| {
                run = shorter;
                operations.clone_from(&fewer);
                fewer
            }))
        });
        if let ControlFlow::Break(Err(error)) = over {
            return Err(error);
        }
        let trace = Trace::new(header.clone(), operations);
        Ok(match run.passed {
            0 => Again::Plain(trace, Proof::Partial, run.divergence),
            _ => Again::Along(trace, run.divergence, run.along.into_iter().collect()),
        })
    }

    /// Runs operations as the campaign did: what is known and leaves nothing behind is passed
    /// over. What they end in, if it is much the same as the divergence that is wanted.
    fn along(
        &mut self,
        header: &Header,
        operations: &[Operation],
        wanted: &Divergence,
    ) -> Result<Option<Run>, TargetError> {
        let config = header.config(self.accepted.clone());
        let (mut passed, mut along) = (0, BTreeSet::new());
        let mut result = self.lockstep.reset(&config);
        for place in 0..operations.len() {
            if result.is_ok() {
                result = self.lockstep.step(&operations[place]).map(|_| ());
            }
            let Err(Stop::Diverged(divergence)) = &result else {
                continue;
            };
            let so_far = &operations[..=place];
            let key = self.key(so_far, divergence);
            let is_last = place + 1 == operations.len();
            if is_last && divergence.gist() == wanted.gist() {
                break;
            }
            let Some(&class) = self.keys.get(&key) else {
                return Ok(None);
            };
            if divergence.step.is_none() || !self.lockstep.undo() {
                return Ok(None);
            }
            passed += 1;
            along.extend(self.report.classes[class].standing.ids().iter().cloned());
            result = Ok(());
        }
        if result.is_ok() && wanted.step.is_none() {
            result = self.lockstep.finish();
        }
        match result {
            Err(Stop::Diverged(divergence)) if divergence.gist() == wanted.gist() => {
                let divergence = *divergence;
                Ok(Some(Run {
                    divergence,
                    passed,
                    along,
                }))
            }
            Err(Stop::Target(error)) => Err(error),
            _ => Ok(None),
        }
    }
}
