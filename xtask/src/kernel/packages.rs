//! What has to be installed, and the one command that installs it.

use super::Edition;
use std::env;
use std::path::{Path, PathBuf};

/// Programs, and the Debian packages that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
    ("riscv64-linux-gnu-objcopy", "binutils-riscv64-linux-gnu"),
    ("qemu-system-riscv64", "qemu-system-misc"),
    ("make", "make"),
    ("gcc", "gcc"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("perl", "perl"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("mke2fs", "e2fsprogs"),
    ("nice", "coreutils"),
];

/// Where Debian's package puts a kernel's source.
pub fn source(edition: Edition) -> PathBuf {
    PathBuf::from(format!("/usr/src/linux-source-{edition}.tar.xz"))
}

/// Packages that are missing.
pub fn missing(edition: Edition) -> Vec<String> {
    let mut missing: Vec<String> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_program(program))
        .map(|(_, package)| (*package).to_string())
        .collect();
    if !Path::new("/usr/include/stdio.h").is_file() {
        missing.push("libc6-dev".to_string());
    }
    if !source(edition).is_file() {
        missing.push(format!("linux-source-{edition}"));
    }
    missing
}

/// Checks that everything is installed.
///
/// # Errors
///
/// With the packages that are missing and how to install them.
pub fn check(edition: Edition) -> Result<(), String> {
    report(&missing(edition))
}

fn report(missing: &[String]) -> Result<(), String> {
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    Err(format!(
        "missing packages: {packages}\nhelp: apt-get install --no-install-recommends {packages}"
    ))
}

fn is_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // mke2fs is where only an administrator's path leads.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(more)
        .any(|directory| is_file(&directory.join(name)))
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::report;

    #[test]
    fn what_is_missing_is_said_with_how_to_install_it() {
        assert_eq!(report(&[]), Ok(()));
        assert_eq!(
            report(&["flex".into(), "bc".into()]).expect_err("two are missing"),
            "missing packages: flex bc\n\
             help: apt-get install --no-install-recommends flex bc"
        );
    }
}
