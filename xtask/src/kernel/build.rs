//! Builds a kernel, once.

use super::image::{GUEST, archive, read, run};
use super::{Edition, configuration, packages, trial};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xxhash_rust::xxh3::xxh3_64;

/// Names the switches, sources and tools that a build was made from.
const STAMP: &str = "stamp";
/// The same of the kernel alone, and of its source as it was unpacked.
const KERNEL_STAMP: &str = "kernel-stamp";
const SOURCE_STAMP: &str = "source-stamp";

/// Builds both kinds of a kernel and what they boot with, and boots them.
pub fn run_build(edition: Edition, again: bool) -> Result<(), String> {
    packages::check(edition)?;
    let repository = repository()?;
    let directory = directory(&repository, edition);
    make_directory(&directory)?;
    let stamp = stamp(edition, &repository)?;
    if is_stamped(&directory, STAMP, &stamp) && !again {
        let shown = shown(&repository, &directory);
        println!("linux {edition} is built, nothing to do: {shown}");
        return Ok(());
    }
    let _ = fs::remove_file(directory.join(STAMP));

    write(
        &directory.join("initrd.cpio"),
        &archive(&repository, &directory)?,
    )?;
    let kernel = kernel_stamp(edition, &repository)?;
    if !is_stamped(&directory, KERNEL_STAMP, &kernel) || again {
        let source = unpack(edition, &directory, again)?;
        add_witness(&repository, &source)?;
        for uninitialized in [true, false] {
            build_image(edition, &source, &directory, uninitialized)?;
        }
        write(&directory.join(KERNEL_STAMP), kernel.as_bytes())?;
    }
    trial::run(edition, &directory)?;
    write(&directory.join(STAMP), stamp.as_bytes())?;
    println!(
        "linux {edition} is built: {}",
        shown(&repository, &directory)
    );
    Ok(())
}

/// Where kernels are: `NOMMU_KERNELS`, or `target/kernel`.
fn directory(repository: &Path, edition: Edition) -> PathBuf {
    env::var_os("NOMMU_KERNELS")
        .map_or_else(|| repository.join("target/kernel"), PathBuf::from)
        .join(edition.to_string())
}

fn is_stamped(directory: &Path, name: &str, stamp: &str) -> bool {
    fs::read_to_string(directory.join(name)).is_ok_and(|found| found == stamp)
}

/// The repository that this program was built from.
pub fn repository() -> Result<PathBuf, String> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .map(Path::to_path_buf)
        .ok_or_else(|| "the repository is not found".to_string())
}

fn shown(repository: &Path, directory: &Path) -> String {
    directory
        .strip_prefix(repository)
        .unwrap_or(directory)
        .display()
        .to_string()
}

/// Which source a kernel is made from.
fn source_stamp(edition: Edition) -> Result<String, String> {
    let source = packages::source(edition);
    let length = fs::metadata(&source)
        .map_err(|error| format!("{}: {error}", source.display()))?
        .len();
    let version = package_version(edition);
    Ok(format!("{edition} {length}\n{version}"))
}

/// What a kernel is made from: Debian's source, the switches, the driver that is built in.
fn kernel_stamp(edition: Edition, repository: &Path) -> Result<String, String> {
    let mut made_from = source_stamp(edition)?;
    made_from.push_str(&configuration::text(true));
    for file in ["witness.c", "witness.h"] {
        let bytes = read(&repository.join(GUEST).join(file))?;
        made_from.push_str(&format!("{:016x}\n", xxh3_64(&bytes)));
    }
    Ok(format!("{:016x}\n", xxh3_64(made_from.as_bytes())))
}

/// All that a build is made from.
fn stamp(edition: Edition, repository: &Path) -> Result<String, String> {
    let mut made_from = kernel_stamp(edition, repository)?;
    let guest = repository.join(GUEST);
    let mut files: Vec<PathBuf> = fs::read_dir(&guest)
        .map_err(|error| format!("{}: {error}", guest.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    for file in files {
        made_from.push_str(&format!("{:016x}\n", xxh3_64(&read(&file)?)));
    }
    for own in [include_str!("image.rs"), include_str!("rom.rs")] {
        made_from.push_str(&format!("{:016x}\n", xxh3_64(own.as_bytes())));
    }
    Ok(format!("{:016x}\n", xxh3_64(made_from.as_bytes())))
}

/// Debian's version of the source; empty where dpkg does not know.
fn package_version(edition: Edition) -> String {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}"])
        .arg(format!("linux-source-{edition}"))
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

/// Unpacks the source, unless it lies there from an earlier build.
fn unpack(edition: Edition, directory: &Path, again: bool) -> Result<PathBuf, String> {
    let source = directory.join(format!("linux-source-{edition}"));
    let stamp = source_stamp(edition)?;
    if is_stamped(directory, SOURCE_STAMP, &stamp) && source.is_dir() && !again {
        return Ok(source);
    }
    let _ = fs::remove_file(directory.join(SOURCE_STAMP));
    if source.exists() {
        fs::remove_dir_all(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    }
    println!("unpacking linux {edition}");
    run(Command::new("nice")
        .args(["tar", "-xf"])
        .arg(packages::source(edition))
        .arg("-C")
        .arg(directory))?;
    if !source.join("Makefile").is_file() {
        return Err(format!(
            "{}: found no linux-source-{edition}/Makefile in it, expected a kernel's source",
            packages::source(edition).display()
        ));
    }
    write(&directory.join(SOURCE_STAMP), stamp.as_bytes())?;
    Ok(source)
}

/// Adds the driver with scripted answers to what is built.
fn add_witness(repository: &Path, source: &Path) -> Result<(), String> {
    let drivers = source.join("drivers/char");
    for (from, to) in [
        ("witness.c", "nommu_witness.c"),
        ("witness.h", "nommu_witness.h"),
    ] {
        write(
            &drivers.join(to),
            &read(&repository.join(GUEST).join(from))?,
        )?;
    }
    let makefile = drivers.join("Makefile");
    let line = "obj-y += nommu_witness.o\n";
    let mut text = String::from_utf8_lossy(&read(&makefile)?).into_owned();
    if !text.ends_with(line) {
        text.push_str(line);
        write(&makefile, text.as_bytes())?;
    }
    Ok(())
}

/// Builds a kernel that permits uninitialised memory, or one that does not, and checks that
/// every switch took effect.
fn build_image(
    edition: Edition,
    source: &Path,
    directory: &Path,
    uninitialized: bool,
) -> Result<(), String> {
    let kind = match uninitialized {
        true => "uninitialized",
        false => "cleared",
    };
    println!("building linux {edition}, anonymous memory {kind}");
    make(source, &[configuration::BASE])?;
    let file = source.join(".config");
    let mut text = String::from_utf8_lossy(&read(&file)?).into_owned();
    text.push_str(&configuration::text(uninitialized));
    write(&file, text.as_bytes())?;
    make(source, &["olddefconfig"])?;
    let found = String::from_utf8_lossy(&read(&file)?).into_owned();
    let differences = configuration::differences(&found, uninitialized);
    if !differences.is_empty() {
        return Err(format!(
            "linux {edition} did not take {} switches:\n{}",
            differences.len(),
            differences.join("\n")
        ));
    }
    make(source, &["Image"])?;
    let image = read(&source.join("arch/riscv/boot/Image"))?;
    write(&directory.join(format!("Image-{kind}")), &image)
}

fn make(source: &Path, targets: &[&str]) -> Result<(), String> {
    run(Command::new("nice")
        .args(["make", "-s", "-j2", "ARCH=riscv"])
        .args([
            "CROSS_COMPILE=riscv64-linux-gnu-",
            "KBUILD_BUILD_USER=nommu",
        ])
        .args(["KBUILD_BUILD_HOST=oracle", "KBUILD_BUILD_TIMESTAMP=@0"])
        .args(targets)
        .current_dir(source))
}

fn make_directory(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
