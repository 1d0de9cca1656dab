//! The way to a step, derived from links by taking it.

use super::links::{LevelLinks, Origin, path};
use super::renew::NoSuchStep;
use super::system::{System, Unnoted};

/// The actions up to and including a step, and what came of the step.
pub(super) struct Replayed<S: System> {
    pub actions: Vec<S::Action>,
    pub result: Result<(), S::Violation>,
}

/// Takes all steps from the initial state up to the one given.
pub(super) fn replay<S: System>(
    system: &S,
    links: &[LevelLinks],
    origin: Origin,
) -> Result<Replayed<S>, NoSuchStep> {
    let mut state = system.initial();
    let mut next = state.clone();
    let mut enabled = Vec::new();
    let mut replayed = Replayed {
        actions: Vec::new(),
        result: Ok(()),
    };
    for number in path(links, origin).ok_or(NoSuchStep)? {
        // Only the last step may have been wrong.
        replayed.result.map_err(|_| NoSuchStep)?;
        enabled.clear();
        system.actions(&state, &mut enabled);
        let action = enabled.get(number as usize).ok_or(NoSuchStep)?;
        replayed.result = system.successor(&state, action, &mut next, &mut Unnoted);
        replayed.actions.push(action.clone());
        std::mem::swap(&mut state, &mut next);
    }
    Ok(replayed)
}
