//! Targets by name.

use super::engine::EngineTarget;
use super::external::External;
use super::linux::Linux;
use super::{Effort, Target, TargetError, Touched};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::str::FromStr;
use std::time::Duration;

/// What is judged, as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetName {
    /// `engine`: the embedded one.
    Engine,
    /// `exec:CMD`: a program and its arguments, that speaks the protocol.
    Exec(Vec<String>),
    /// `linux-6.12`: a real kernel, by its version.
    Linux(String),
}

/// Versions of Linux that a machine can be made for.
pub const KERNELS: &[&str] = &["6.12", "6.1"];

impl FromStr for TargetName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "engine" {
            return Ok(Self::Engine);
        }
        if let Some(command) = name.strip_prefix("exec:") {
            let words: Vec<String> = command.split_whitespace().map(String::from).collect();
            return if words.is_empty() {
                Err("found no program after `exec:`, expected `exec:COMMAND`".into())
            } else {
                Ok(Self::Exec(words))
            };
        }
        match name.strip_prefix("linux-") {
            Some(version) if KERNELS.contains(&version) => Ok(Self::Linux(version.into())),
            _ => Err(format!(
                "found `{name}`, expected `engine`, `linux-6.12`, `linux-6.1` or `exec:COMMAND`"
            )),
        }
    }
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine => formatter.write_str("engine"),
            Self::Exec(words) => write!(formatter, "exec:{}", words.join(" ")),
            Self::Linux(version) => write!(formatter, "linux-{version}"),
        }
    }
}

/// Any target.
pub type AnyTarget = Box<dyn Target + Send>;

impl TargetName {
    /// The bytes of a page, where there is no choice.
    pub fn page_size(&self) -> Option<u64> {
        matches!(self, Self::Linux(_)).then_some(super::linux::PAGE)
    }

    /// Makes a target of this name. Nothing runs before it is reset; whether it can be run is
    /// said then.
    pub fn make(&self) -> AnyTarget {
        match self {
            Self::Engine => Box::new(EngineTarget::new()),
            Self::Exec(words) => Box::new(External::new(words)),
            Self::Linux(edition) => Box::new(Linux::new(edition)),
        }
    }

    /// The same, where what runs in this process does so in one of its own, by this program's
    /// `serve`: there, an operation that takes longer than `limit` is a crash.
    pub fn make_apart(&self, limit: Duration) -> AnyTarget {
        match self {
            Self::Engine => {
                let program = std::env::current_exe().unwrap_or_else(|_| "nommu-oracle".into());
                let words = [program.display().to_string(), "serve".to_owned()];
                Box::new(External::with_limit(&words, limit).named("engine"))
            }
            Self::Exec(_) | Self::Linux(_) => self.make(),
        }
    }
}

impl Contents for AnyTarget {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        (**self).memory(address, bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        (**self).file(number, offset, bytes)
    }
}

impl Target for AnyTarget {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn sight(&self) -> Sight {
        (**self).sight()
    }

    fn offered(&self, config: Config) -> Config {
        (**self).offered(config)
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        (**self).reset(config)
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        (**self).perform(operation)
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        (**self).observe(observation)
    }

    fn broke(&mut self) -> Option<String> {
        (**self).broke()
    }

    fn touched(&mut self) -> Touched<'_> {
        (**self).touched()
    }

    fn leftovers(&mut self) -> Result<Vec<String>, TargetError> {
        (**self).leftovers()
    }

    fn begin_afresh(&mut self) {
        (**self).begin_afresh();
    }

    fn effort(&self) -> Effort {
        (**self).effort()
    }

    fn can_fail_allocations(&self) -> bool {
        (**self).can_fail_allocations()
    }

    fn fail_allocation(&mut self, n: u64) -> bool {
        (**self).fail_allocation(n)
    }

    fn injected_failure(&self) -> bool {
        (**self).injected_failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Header;
    use nommu_model::outcome::Errno;

    /// Answers everything otherwise than a target that says nothing of it.
    struct Outspoken {
        asked: Vec<&'static str>,
    }

    impl Contents for Outspoken {
        fn memory(&self, _: u64, _: &mut [u8]) -> bool {
            true
        }

        fn file(&self, _: u16, _: u64, _: &mut [u8]) -> bool {
            true
        }
    }

    impl Target for Outspoken {
        fn name(&self) -> &str {
            "outspoken"
        }

        fn sight(&self) -> Sight {
            Sight::DRIVERS
        }

        fn offered(&self, mut config: Config) -> Config {
            config.trim = 77;
            config
        }

        fn reset(&mut self, _: &Config) -> Result<(), TargetError> {
            self.asked.push("reset");
            Ok(())
        }

        fn perform(&mut self, _: &Operation) -> Result<Outcome, TargetError> {
            Ok(Outcome::Error(Errno::EBUSY))
        }

        fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
            observation.copied_pages = 12;
            Ok(())
        }

        fn broke(&mut self) -> Option<String> {
            Some("it broke".into())
        }

        fn touched(&mut self) -> Touched<'_> {
            Touched::Pages(&[0x10])
        }

        fn leftovers(&mut self) -> Result<Vec<String>, TargetError> {
            Ok(self.asked.drain(..).map(str::to_owned).collect())
        }

        fn begin_afresh(&mut self) {
            self.asked.push("begin_afresh");
        }

        fn effort(&self) -> Effort {
            Effort {
                boots: 5,
                ..Effort::default()
            }
        }

        fn can_fail_allocations(&self) -> bool {
            true
        }

        fn fail_allocation(&mut self, n: u64) -> bool {
            n == 6
        }

        fn injected_failure(&self) -> bool {
            true
        }
    }

    #[test]
    fn any_target_passes_everything_on() {
        let mut any: AnyTarget = Box::new(Outspoken { asked: Vec::new() });
        let target = &mut any;
        fn passes(target: &mut impl Target) {
            let config = Header::default().config(Vec::new());
            assert!(target.memory(0, &mut []) && target.file(0, 0, &mut []));
            assert_eq!(target.name(), "outspoken");
            assert_eq!(target.sight(), Sight::DRIVERS);
            assert_eq!(target.offered(config.clone()).trim, 77);
            assert_eq!(target.reset(&config), Ok(()));
            let answer = target.perform(&Operation::SetTrim(1));
            assert_eq!(answer, Ok(Outcome::Error(Errno::EBUSY)));
            let mut seen = Observation::default();
            assert_eq!(target.observe(&mut seen), Ok(()));
            assert_eq!(seen.copied_pages, 12);
            assert_eq!(target.broke().as_deref(), Some("it broke"));
            assert!(matches!(target.touched(), Touched::Pages([0x10])));
            target.begin_afresh();
            let asked = target.leftovers().expect("it answers");
            assert_eq!(asked, ["reset", "begin_afresh"]);
            assert_eq!(target.effort().boots, 5);
            assert!(target.can_fail_allocations() && target.injected_failure());
            assert!(target.fail_allocation(6));
        }
        passes(target);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["engine", "linux-6.12", "linux-6.1", "exec:./mine --fast"] {
            let read: TargetName = name.parse().expect("it is a name");
            assert_eq!(read.to_string(), name);
        }
        for name in ["", "Engine", "linux-", "linux-5.0", "exec:", "exec: "] {
            let error = name.parse::<TargetName>().expect_err("it is none");
            assert!(error.starts_with("found "), "{error}");
        }
    }
}
