//! What a kernel boots with: the guest program as a flat binary, and the images of its file systems.

use super::rom;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

/// The guest program's sources, below the repository.
pub const GUEST: &str = "oracle/guest";

/// Its files, in the order in which they are linked.
const SOURCES: &[&str] = &[
    "start.S",
    "memory.c",
    "channel.c",
    "objects.c",
    "observe.c",
    "read.c",
    "perform.c",
    "show.c",
    "process.c",
];

/// How it is compiled: for any address, with nothing that would have to be relocated.
const FLAGS: &[&str] = &[
    "-nostdlib",
    "-ffreestanding",
    "-fPIE",
    "-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-tree-loop-distribute-patterns",
    "-mcmodel=medany",
    "-march=rv64imac",
    "-mabi=lp64",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--no-dynamic-linker",
    "-Wl,--build-id=none",
    "-Wl,--no-warn-rwx-segments",
    "-Wl,-T,link.ld",
];

/// Bytes of a flat binary's header.
const HEADER: usize = 64;
/// Bytes of the first process's stack.
const STACK: u32 = 32 << 10;
/// Bytes of the disk, and of the block device that is no disk.
const DISK: &str = "512k";
const BLOCK: usize = 4 * 4096;

/// Makes the archive that a kernel unpacks as its first file system.
///
/// # Errors
///
/// When the guest program does not compile or an image cannot be made.
pub fn archive(repository: &Path, directory: &Path) -> Result<Vec<u8>, String> {
    let guest = flat(repository, directory)?;
    let disk = disk(directory)?;
    let rom = rom::image(&rom::files());
    let block: Vec<u8> = (0..BLOCK)
        .map(|at| ((17 * 7 + 31 * (at / 4096) + at) % 251 + 1) as u8)
        .collect();
    let directory_mode = 0o040_755;
    let file_mode = 0o100_644;
    let entry = |name: &str, mode: u32, inode: u32| {
        cpio::NewcBuilder::new(name)
            .mode(mode)
            .ino(inode)
            .nlink(1)
            .set_mode_file_type(match mode & 0o170_000 {
                0o040_000 => cpio::newc::ModeFileType::Directory,
                0o020_000 => cpio::newc::ModeFileType::Char,
                _ => cpio::newc::ModeFileType::Regular,
            })
    };
    let parts = [
        (entry("dev", directory_mode, 1), Vec::new()),
        (
            entry("dev/console", 0o020_600, 2)
                .rdev_major(5)
                .rdev_minor(1),
            Vec::new(),
        ),
        (entry("init", 0o100_755, 3), guest),
        (entry("disk.img", file_mode, 4), disk),
        (entry("rom.img", file_mode, 5), rom),
        (entry("block.img", file_mode, 6), block),
    ]
    .map(|(entry, bytes)| (entry, Cursor::new(bytes)));
    cpio::write_cpio(parts.into_iter(), Vec::new())
        .map_err(|error| format!("the first file system cannot be written: {error}"))
}

/// The guest program behind a header that every kernel without an MMU can load: bFLT version 4,
/// to be copied into memory in one piece.
fn flat(repository: &Path, directory: &Path) -> Result<Vec<u8>, String> {
    let linked = directory.join("guest.elf");
    let plain = directory.join("guest.bin");
    run(Command::new("riscv64-linux-gnu-gcc")
        .current_dir(repository.join(GUEST))
        .args(FLAGS)
        .args(SOURCES)
        .arg("-o")
        .arg(&linked))?;
    run(Command::new("riscv64-linux-gnu-objcopy")
        .args(["-O", "binary"])
        .arg(&linked)
        .arg(&plain))?;
    let code = read(&plain)?;
    let zeroes = zeroed_bytes(&linked)?;
    let image_end = word(HEADER + code.len().next_multiple_of(16))?;
    let mut flat = b"bFLT".to_vec();
    let words = [
        4,
        word(HEADER)?,
        image_end,
        image_end,
        image_end
            .checked_add(zeroes)
            .ok_or("the guest program is too large")?,
        STACK,
        image_end,
        0,
        // To be loaded into memory.
        1,
    ];
    for word in words {
        flat.extend_from_slice(&word.to_be_bytes());
    }
    flat.resize(HEADER, 0);
    flat.extend_from_slice(&code);
    flat.resize(image_end as usize, 0);
    Ok(flat)
}

/// Bytes of zeroes that follow a linked program's image, with room to align them.
fn zeroed_bytes(linked: &Path) -> Result<u32, String> {
    let output = Command::new("riscv64-linux-gnu-size")
        .arg(linked)
        .output()
        .map_err(|error| format!("riscv64-linux-gnu-size cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(2))
        .and_then(|bytes| bytes.parse::<u32>().ok())
        .ok_or_else(|| format!("found `{text}`, expected the sizes of the guest program"))?;
    Ok(found.next_multiple_of(16) + 64)
}

/// A file system on a disk, the same every time.
fn disk(directory: &Path) -> Result<Vec<u8>, String> {
    let image = directory.join("disk.img");
    let _ = fs::remove_file(&image);
    let path = std::env::var("PATH").unwrap_or_default();
    run(Command::new("mke2fs")
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("E2FSPROGS_FAKE_TIME", "1700000000")
        .env("MKE2FS_CONFIG", "/dev/null")
        .args([
            "-q", "-F", "-t", "ext2", "-b", "1024", "-m", "0", "-N", "64",
        ])
        .args(["-U", "6e6f6d6d-7500-4000-8000-000000000001"])
        .args(["-E", "hash_seed=6e6f6d6d-7500-4000-8000-000000000002"])
        .arg(&image)
        .arg(DISK))?;
    read(&image)
}

fn word(value: usize) -> Result<u32, String> {
    u32::try_from(value).map_err(|_| "the guest program is too large".to_string())
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a command; its words are shown when it fails.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = words.lines().rev().take(30).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!(
        "{command:?}: {}, expected success\n{}",
        output.status,
        last.join("\n")
    ))
}
