//! The machine: QEMU, with its memory as a file and its console read.
//!
//! QEMU is told what to do by lines on its standard input. What it answers, nobody reads: what
//! came of them is seen by what the machine does.

use super::kept::Kept;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of memory, and where it begins.
const MEMORY: u64 = 64 << 20;
const MEMORY_START: u64 = 0x8000_0000;
/// What the kernel is told: how flash is divided, that it ends where it stumbles, and that it looks
/// whether a record that it gives back is one that it has.
const COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=5 rdinit=/init oops=panic panic=-1 \
                            slub_debug=F,vm_area_struct,vm_region,mm_struct,filp \
                            mtdparts=\"mtdram test device:16k(flash),-(rom)\"";
/// Bytes of memory that are copied together.
const PART: u64 = 1 << 16;
/// Bytes of the console that are looked at, from its end.
const CONSOLE_LIMIT: u64 = 1 << 16;
/// Lines of last words.
const LAST_WORDS: usize = 12;

/// What QEMU writes of a machine besides its memory, in the machine's directory.
const STATE: &str = "state";
/// Writes the state of a machine and stops it. It is there under its name when all of it is.
const KEEP: &str = "migrate_set_capability x-ignore-shared on\n\
                    migrate -d \"exec:cat >state.part && mv state.part state\"\n";
/// Reads the state of a machine whose memory is there already.
const TAKE_UP: &str = "migrate_set_capability x-ignore-shared on\n\
                       migrate_incoming \"exec:cat state\"\n";
/// Lets a machine run.
const GO_ON: &str = "cont\n";

/// The program that is the machine.
pub const PROGRAM: &str = "qemu-system-riscv64";

/// What is booted.
pub struct Image<'a> {
    /// The program that is the machine, [`PROGRAM`].
    pub program: &'a Path,
    /// Where `cargo xtask kernel build` left it.
    pub directory: &'a Path,
    /// Whether the kernel permits uninitialised memory.
    pub uninitialized: bool,
}

/// A running machine; it ends when this is dropped.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    memory: File,
    /// What is said on the console is added to it.
    console: File,
    /// Where in it begins what this machine said, and what was said before it was one.
    said_from: u64,
    said_before: Vec<u8>,
    /// Holds the memory; removed with the machine.
    directory: tempfile::TempDir,
}

/// Where a kernel was built: below `NOMMU_KERNELS`, if that is set, or else below
/// `target/kernel` of this directory or one above it, or above this program.
pub fn find(edition: &str) -> Result<PathBuf, String> {
    let is_built = |path: &PathBuf| path.join("stamp").is_file();
    let here = std::env::current_dir().unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    let mut around = (here.ancestors().chain(program.ancestors()))
        .map(|path| path.join("target/kernel").join(edition));
    let (found, place) = match std::env::var_os("NOMMU_KERNELS") {
        Some(own) => {
            let own = PathBuf::from(own);
            let place = own.display().to_string();
            (Some(own.join(edition)).filter(is_built), place)
        }
        None => (around.find(is_built), "target/kernel".to_string()),
    };
    found.ok_or_else(|| {
        format!(
            "found no linux {edition} in {place}, expected one\n\
             help: cargo xtask kernel build {edition}"
        )
    })
}

impl Machine {
    /// Its memory's addresses.
    pub const MEMORY: std::ops::Range<u64> = MEMORY_START..MEMORY_START + MEMORY;

    /// Starts a machine; its memory is zero but for what QEMU loads.
    pub fn start(image: &Image<'_>) -> Result<Self, String> {
        let (directory, memory) = new_memory()?;
        Self::run(image, directory, memory, &[], Vec::new())
    }

    /// Starts a machine that is as a kept one was. It does nothing before [`Machine::go_on`].
    pub fn copy(image: &Image<'_>, kept: &Kept) -> Result<Self, String> {
        let (directory, memory) = new_memory()?;
        (kept.memory.iter())
            .try_for_each(|(offset, bytes)| memory.write_all_at(bytes, *offset))
            .and_then(|()| fs::write(directory.path().join(STATE), &kept.state))
            .map_err(|error| format!("the machine's memory: {error}"))?;
        let console = kept.console.clone();
        let how = ["-S", "-incoming", "defer"];
        let mut machine = Self::run(image, directory, memory, &how, console)?;
        machine.tell(TAKE_UP);
        Ok(machine)
    }

    fn run(
        image: &Image<'_>,
        directory: tempfile::TempDir,
        memory: File,
        how: &[&str],
        said_before: Vec<u8>,
    ) -> Result<Self, String> {
        let kind = match image.uninitialized {
            true => "Image-uninitialized",
            false => "Image-cleared",
        };
        let backend =
            format!("memory-backend-file,id=memory,size={MEMORY},mem-path=memory,share=on");
        let console = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(directory.path().join("console"));
        let (console, errors) = console
            .and_then(|console| Ok((console.try_clone()?, console)))
            .map_err(|error| format!("the machine's console: {error}"))?;
        let child = Command::new(image.program)
            .current_dir(directory.path())
            .args(["-machine", "virt,memory-backend=memory", "-object"])
            .arg(backend)
            .args(["-m", &format!("{}M", MEMORY >> 20), "-smp", "1"])
            .args(["-bios", "none", "-display", "none"])
            .args(["-nodefaults", "-no-reboot"])
            .args(["-chardev", "file,id=console,path=console,append=on"])
            .args(["-monitor", "stdio", "-serial", "chardev:console"])
            .arg("-kernel")
            .arg(existing(image.directory.join(kind))?)
            .arg("-initrd")
            .arg(existing(image.directory.join("initrd.cpio"))?)
            .arg("-append")
            .arg(COMMAND_LINE)
            .args(how)
            // Ctrl-C is for this program, which ends the machine when it is done with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(|error| {
                format!(
                    "{} cannot be run: {error}\nhelp: apt-get install qemu-system-misc",
                    image.program.display()
                )
            })?;
        Ok(Self {
            child,
            memory,
            console,
            said_from: 0,
            said_before,
            directory,
        })
    }

    /// Lets a copy run.
    pub fn go_on(&mut self) {
        self.tell(GO_ON);
    }

    /// Ends the machine and keeps it as it is: a copy goes on from here.
    pub fn keep(mut self, limit: Duration) -> Result<Kept, String> {
        self.tell(KEEP);
        let deadline = Instant::now() + limit;
        let path = self.directory.path().join(STATE);
        while !path.is_file() {
            if self.ended().is_some() || Instant::now() > deadline {
                return Err("found no state of the machine, expected one".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let state = fs::read(&path).map_err(|error| error.to_string())?;
        Ok(Kept {
            memory: self.all_memory().map_err(|error| error.to_string())?,
            state,
            console: self.said(),
        })
    }

    /// What is not zero of its memory, by offsets.
    fn all_memory(&self) -> std::io::Result<BTreeMap<u64, Vec<u8>>> {
        let mut parts = BTreeMap::new();
        for offset in self.used_parts()? {
            let mut part = vec![0; PART as usize];
            self.memory.read_exact_at(&mut part, offset)?;
            if part.iter().any(|byte| *byte != 0) {
                parts.insert(offset, part);
            }
        }
        Ok(parts)
    }

    /// Where the parts of its memory begin in which anything was ever written.
    fn used_parts(&self) -> std::io::Result<BTreeSet<u64>> {
        let mut parts = BTreeSet::new();
        let mut place = 0;
        while place < MEMORY {
            let begin = match seek(&self.memory, SeekFrom::Data(place)) {
                Ok(begin) => begin,
                // There is nothing more.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            place = seek(&self.memory, SeekFrom::Hole(begin))?;
            parts.extend((begin / PART..place.div_ceil(PART)).map(|part| part * PART));
        }
        Ok(parts)
    }

    /// Makes the memory what it was in another machine, in which nothing happened, as in this.
    pub fn put_back(&mut self, kept: &Kept) -> std::io::Result<()> {
        let used = self.used_parts()?;
        let mut now = vec![0; PART as usize];
        for (offset, then) in &kept.memory {
            self.memory.read_exact_at(&mut now, *offset)?;
            if now != *then {
                self.memory.write_all_at(then, *offset)?;
            }
        }
        // What is not kept was never written then.
        let is_kept = |offset: &&u64| kept.memory.contains_key(*offset);
        for offset in used.iter().filter(|offset| !is_kept(offset)) {
            // Not every file system takes parts out of a file.
            let clear = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            if fallocate(&self.memory, clear, *offset, PART).is_err() {
                self.memory.write_all_at(&[0; PART as usize], *offset)?;
            }
        }
        self.said_from = self.console.metadata()?.len();
        self.said_before.clone_from(&kept.console);
        Ok(())
    }

    /// A line for QEMU. One that is gone hears nothing, which is seen when the machine is asked.
    fn tell(&mut self, lines: &str) {
        if let Some(input) = &mut self.child.stdin {
            let _ = input.write_all(lines.as_bytes());
        }
    }

    /// Reads the machine's memory; false where there is none.
    pub fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        let Some(offset) = address.checked_sub(MEMORY_START) else {
            return false;
        };
        offset
            .checked_add(bytes.len() as u64)
            .is_some_and(|end| end <= MEMORY)
            && self.memory.read_exact_at(bytes, offset).is_ok()
    }

    /// Writes the machine's memory.
    pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
        let Some(offset) = address.checked_sub(MEMORY_START) else {
            return false;
        };
        self.memory.write_all_at(bytes, offset).is_ok()
    }

    /// Processor time that it took so far, in hundredths of a second; none where the system
    /// does not tell.
    pub fn processor_time(&self) -> Option<u64> {
        /// Of the fields behind the name: time in itself, and in the system on its behalf.
        const TIMES: std::ops::Range<usize> = 11..13;
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        fields
            .get(TIMES)?
            .iter()
            .map(|ticks| ticks.parse::<u64>().ok())
            .sum()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }

    /// What was said on the console.
    fn said(&self) -> Vec<u8> {
        let end = self.console.metadata().map_or(0, |metadata| metadata.len());
        let from = self.said_from.max(end.saturating_sub(CONSOLE_LIMIT));
        let mut said = vec![0; end.saturating_sub(from) as usize];
        // It only grows: what is there now can be read.
        if self.console.read_exact_at(&mut said, from).is_err() {
            said.clear();
        }
        said.retain(|byte| *byte != b'\r');
        [self.said_before.as_slice(), &said].concat()
    }

    /// Words, and below them the end of what the kernel said.
    pub fn with_last_words(&self, words: &str) -> String {
        let said = self.said();
        let console = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = console.lines().map(without_time).collect();
        let is_beginning = |line: &str| {
            [
                "cut here",
                "Oops",
                "Kernel panic",
                "BUG",
                "WARNING",
                "Unable to",
            ]
            .iter()
            .any(|word| line.contains(word))
        };
        let last = lines.len().saturating_sub(LAST_WORDS);
        let from = lines
            .iter()
            .position(|line| is_beginning(line))
            .unwrap_or(last);
        let mut text = words.to_string();
        for line in lines.iter().skip(from).take(LAST_WORDS) {
            text.push('\n');
            text.push_str(line);
        }
        text
    }
}

/// A line of the kernel's without the time in front.
fn without_time(line: &str) -> &str {
    match line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_, words)) => words,
        None => line,
    }
}

/// A directory for a machine, and its memory, where nothing is in it yet.
fn new_memory() -> Result<(tempfile::TempDir, File), String> {
    let shared = Path::new("/dev/shm");
    let builder = tempfile::Builder::new().prefix("nommu-").to_owned();
    let directory = match shared.is_dir() {
        true => builder.tempdir_in(shared),
        false => builder.tempdir(),
    }
    .map_err(|error| format!("no directory for the machine's memory: {error}"))?;
    let memory = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(directory.path().join("memory"))
        .and_then(|file| file.set_len(MEMORY).map(|()| file))
        .map_err(|error| format!("the machine's memory: {error}"))?;
    Ok((directory, memory))
}

fn existing(path: PathBuf) -> Result<PathBuf, String> {
    match fs::canonicalize(&path) {
        Ok(path) => Ok(path),
        Err(error) => Err(format!("{}: {error}, expected a kernel", path.display())),
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
