//! Whether code that runs in this process still ends: what is judged here may go round for ever,
//! and a thread cannot be ended.
//!
//! Each thread has a pulse, that beats when code begins and when it ends. A pulse that stands
//! still in between for long is that of a thread that hangs: what it did has to be done again
//! where it can be ended, in a process of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long an operation may take: many times what any takes on a slow machine.
pub const LIMIT: Duration = Duration::from_secs(10);

/// The pulse of one thread: odd while code runs that may not end.
#[derive(Debug, Default)]
// No two threads write to one cache line.
#[repr(align(128))]
pub struct Pulse(AtomicU64);

static ALL: Mutex<Vec<Weak<Pulse>>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: Arc<Pulse> = {
        let own = Arc::new(Pulse::default());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|pulse| pulse.strong_count() > 0);
        all.push(Arc::downgrade(&own));
        own
    };
}

impl Pulse {
    fn beat(&self) {
        // Nobody else writes.
        let beats = self.0.load(Ordering::Relaxed);
        self.0.store(beats.wrapping_add(1), Ordering::Relaxed);
    }
}

/// Runs code that may not end, and does not panic.
pub fn during<T>(run: impl FnOnce() -> T) -> T {
    OWN.with(|own| own.beat());
    let done = run();
    OWN.with(|own| own.beat());
    done
}

/// The pulse of this thread.
pub fn own() -> Arc<Pulse> {
    OWN.with(Arc::clone)
}

/// Feels a pulse from time to time.
#[derive(Debug)]
pub struct Watch {
    pulse: Arc<Pulse>,
    felt: u64,
    since: Instant,
}

impl Watch {
    /// Begins to.
    pub fn new(pulse: Arc<Pulse>) -> Self {
        Self {
            felt: pulse.0.load(Ordering::Relaxed),
            pulse,
            since: Instant::now(),
        }
    }

    /// Whether it stands still within code that may not end, and has for so long.
    pub fn is_still(&mut self, limit: Duration) -> bool {
        let felt = self.pulse.0.load(Ordering::Relaxed);
        if felt != self.felt {
            self.felt = felt;
            self.since = Instant::now();
        }
        felt % 2 == 1 && self.since.elapsed() >= limit
    }
}

/// How often pulses are felt.
pub fn interval(limit: Duration) -> Duration {
    (limit / 8).min(Duration::from_millis(500))
}

/// Does something on a thread of its own, whatever other threads it makes. None where one of them
/// hangs: what it holds stays with it.
pub fn attend<T: Send + 'static>(
    limit: Duration,
    run: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    // Those that hang already are not waited for.
    let mut lost: Vec<Weak<Pulse>> = Vec::new();
    let mut watches: Vec<Watch> = Vec::new();
    for pulse in all() {
        match pulse.0.load(Ordering::Relaxed) % 2 {
            0 => {}
            _ => lost.push(Arc::downgrade(&pulse)),
        }
    }
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || {
        // Nobody hears it where it was given up.
        let _ = sender.send(run());
    });
    loop {
        match receiver.recv_timeout(interval(limit)) {
            Ok(done) => return Some(done),
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Ok(()) => return None,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(RecvTimeoutError::Timeout) => {}
        }
        let is = |known: &Arc<Pulse>, pulse: &Arc<Pulse>| Arc::ptr_eq(known, pulse);
        watches.retain(|watch| Arc::strong_count(&watch.pulse) > 1);
        for pulse in all() {
            let is_lost =
                (lost.iter()).any(|lost| lost.upgrade().is_some_and(|it| is(&it, &pulse)));
            if !is_lost && !watches.iter().any(|watch| is(&watch.pulse, &pulse)) {
                watches.push(Watch::new(pulse));
            }
        }
        if watches.iter_mut().any(|watch| watch.is_still(limit)) {
            return None;
        }
    }
}

fn all() -> Vec<Arc<Pulse>> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter_map(Weak::upgrade).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_pulse_may_stand_still_outside() {
        let pulse = Arc::new(Pulse::default());
        let mut watch = Watch::new(Arc::clone(&pulse));
        assert!(!watch.is_still(Duration::ZERO));
        pulse.beat();
        assert!(watch.is_still(Duration::ZERO));
        assert!(!watch.is_still(LIMIT));
        pulse.beat();
        assert!(!watch.is_still(Duration::ZERO));
    }

    #[test]
    fn what_ends_is_heard() {
        assert_eq!(attend(LIMIT, || during(|| 7)), Some(7));
    }

    #[test]
    fn what_does_not_end_is_given_up_whichever_thread_it_is() {
        static ENOUGH: AtomicBool = AtomicBool::new(false);
        let short = Duration::from_millis(50);
        let hangs = move || {
            during(|| {
                while !ENOUGH.load(Ordering::Relaxed) {
                    std::thread::sleep(short / 10);
                }
            });
        };
        assert_eq!(attend(short, hangs), None);
        let elsewhere = move || std::thread::spawn(hangs).join().is_ok();
        assert_eq!(attend(short, elsewhere), None);
        ENOUGH.store(true, Ordering::Relaxed);
    }

    #[test]
    #[should_panic(expected = "its own words")]
    fn a_panic_goes_on() {
        attend(LIMIT, || panic!("its own words"));
    }
}
