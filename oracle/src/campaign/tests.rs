//! What a campaign makes of operations that do not end.

use super::*;
use crate::target::engine::{EngineTarget, TrackedMemory};
use crate::target::external::External;
use nommu_engine::Engine;
use nommu_model::op::Call;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the tests are over, so that nothing goes on for ever.
static ENOUGH: AtomicBool = AtomicBool::new(false);

fn is_dup(operation: &Operation) -> bool {
    matches!(operation, Operation::Call(_, Call::Dup { .. }))
}

/// Goes round for ever in one kind of operation.
fn hang(_: &mut Engine<TrackedMemory>, operation: &Operation) {
    while is_dup(operation) && !ENOUGH.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn hanging() -> EngineTarget {
    let mut target = EngineTarget::new();
    target.fault = Some(hang);
    target
}

/// The same where it can be ended: it is said to have taken too long.
fn ended() -> AnyTarget {
    let mut target = EngineTarget::new();
    target.fault = Some(|_, operation| {
        assert!(
            !is_dup(operation),
            "found silence for 20 ms, expected an answer"
        );
    });
    Box::new(target)
}

fn campaign(jobs: usize, apart: &dyn Fn() -> AnyTarget) -> Result<Report, TargetError> {
    let plan = Plan {
        jobs: NonZeroUsize::new(jobs).expect("it is not 0"),
        traces: Some(200),
        failures: Failures::Some,
        ..Plan::default()
    };
    let hangs = Hangs {
        limit: Duration::from_millis(20),
        apart,
    };
    run_to_the_end(&plan, Some(hangs), hanging, |_| ControlFlow::Continue(()))
}

#[test]
fn an_operation_that_does_not_end_is_found() {
    let said = [1, 3].map(|jobs| {
        let report = campaign(jobs, &ended).expect("it can be run");
        let found = report.found.expect("it hangs");
        let last = found.trace.operations().last().cloned();
        assert!(last.as_ref().is_some_and(is_dup), "{last:?}");
        assert_eq!(found.divergence.step, Some(found.trace.lines.len() - 1));
        (
            found.number,
            found.trace.to_string(),
            found.divergence.to_string(),
            report.traces,
            report.tally,
        )
    });
    assert_eq!(said[0], said[1]);
    let (number, ..) = &said[0];
    assert!(
        *number > 0,
        "the first trace already hangs: it shows little"
    );
    let apart: &dyn Fn() -> AnyTarget = &|| Box::new(EngineTarget::new());
    let error = campaign(2, apart).expect_err("it hangs here and not there");
    assert!(
        error.problem.contains("does when it is performed again"),
        "{error}"
    );
    ENOUGH.store(true, Ordering::Relaxed);
}

/// A program that stays silent is ended by itself, which is a divergence of that operation.
#[test]
fn a_program_that_hangs_is_a_divergence() {
    let script = "read x; echo nommu-protocol 1 test none; read x; echo = ready; echo .; sleep 60";
    let words = ["sh", "-c", script].map(String::from);
    let plan = Plan {
        traces: Some(1),
        ..Plan::default()
    };
    let target = move || External::with_limit(&words, Duration::from_millis(100));
    let report = run(&plan, target, |_| ControlFlow::Continue(())).expect("it can be run");
    assert!(report.found.expect("it is silent").divergence.hangs());
}
