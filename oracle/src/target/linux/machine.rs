//! The machine: QEMU, with its memory as a file and its console read.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// Bytes of memory, and where it begins.
const MEMORY: u64 = 64 << 20;
const MEMORY_START: u64 = 0x8000_0000;
/// What the kernel is told: how flash is divided, and that it ends where it stumbles.
const COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=5 rdinit=/init oops=panic panic=-1 \
                            mtdparts=\"mtdram test device:16k(flash),-(rom)\"";
/// Bytes of the console that are kept.
const CONSOLE_LIMIT: usize = 1 << 16;
/// Lines of last words.
const LAST_WORDS: usize = 12;

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
    console: Arc<Mutex<Vec<u8>>>,
    /// Holds the memory; removed with the machine.
    _directory: tempfile::TempDir,
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
        let shared = Path::new("/dev/shm");
        let builder = tempfile::Builder::new().prefix("nommu-").to_owned();
        let directory = match shared.is_dir() {
            true => builder.tempdir_in(shared),
            false => builder.tempdir(),
        }
        .map_err(|error| format!("no directory for the machine's memory: {error}"))?;
        let path = directory.path().join("memory");
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|file| file.set_len(MEMORY).map(|()| file))
            .map_err(|error| format!("the machine's memory: {error}"))?;
        let kind = match image.uninitialized {
            true => "Image-uninitialized",
            false => "Image-cleared",
        };
        let backend = format!(
            "memory-backend-file,id=memory,size={MEMORY},mem-path={},share=on",
            path.display()
        );
        let mut child = Command::new(image.program)
            .args(["-machine", "virt,memory-backend=memory", "-object"])
            .arg(backend)
            .args(["-m", &format!("{}M", MEMORY >> 20), "-smp", "1"])
            .args(["-bios", "none", "-display", "none", "-monitor", "none"])
            .args(["-nodefaults", "-no-reboot", "-serial", "stdio"])
            .arg("-kernel")
            .arg(existing(image.directory.join(kind))?)
            .arg("-initrd")
            .arg(existing(image.directory.join("initrd.cpio"))?)
            .arg("-append")
            .arg(COMMAND_LINE)
            // Ctrl-C is for this program, which ends the machine when it is done with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "{} cannot be run: {error}\nhelp: apt-get install qemu-system-misc",
                    image.program.display()
                )
            })?;
        let console = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take(), &console);
        keep(child.stderr.take(), &console);
        Ok(Self {
            child,
            memory,
            console,
            _directory: directory,
        })
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

    /// Words, and below them the end of what the kernel said.
    pub fn with_last_words(&self, words: &str) -> String {
        let console = match self.console.lock() {
            Ok(console) => String::from_utf8_lossy(&console).into_owned(),
            Err(_) => String::new(),
        };
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

fn existing(path: PathBuf) -> Result<PathBuf, String> {
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("{}: {error}, expected a kernel", path.display())),
    }
}

fn keep(output: Option<impl Read + Send + 'static>, console: &Arc<Mutex<Vec<u8>>>) {
    let Some(mut output) = output else { return };
    let console = Arc::clone(console);
    std::thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut some) {
            let Ok(mut kept) = console.lock() else { return };
            kept.extend(some[..count].iter().filter(|byte| **byte != b'\r'));
            let excess = kept.len().saturating_sub(CONSOLE_LIMIT);
            kept.drain(..excess);
        }
    });
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
