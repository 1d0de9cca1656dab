//! A small system, and helpers that are named for what is to come of a call.

use nommu_engine::{
    Config, Engine, Errno, Fd, FlatMemory, MapFlags, MapRequest, OpenFlags, Pid, Protection,
    Script, Source,
};

/// Bytes of a page.
pub const PAGE: u64 = 64;
/// The process that calls unless another is named.
pub const P0: Pid = Pid(0);
pub const P1: Pid = Pid(1);

pub const R: Protection = Protection::READ;
pub const RW: Protection = Protection::READ.union(Protection::WRITE);
pub const RX: Protection = Protection::READ.union(Protection::EXEC);

pub struct System {
    pub engine: Engine<FlatMemory>,
    pub caller: Pid,
}

/// A request for anonymous memory of so many pages.
pub fn anonymous(pages: u64) -> MapRequest {
    MapRequest {
        length: pages * PAGE,
        protection: RW,
        flags: MapFlags::PRIVATE,
        ..MapRequest::default()
    }
}

/// A request for a private mapping of pages of a file.
pub fn private(fd: Fd, protection: Protection, first: u64, pages: u64) -> MapRequest {
    MapRequest {
        length: pages * PAGE,
        protection,
        flags: MapFlags::PRIVATE,
        descriptor: Some(fd),
        offset: first * PAGE,
        ..MapRequest::default()
    }
}

/// The same, shared.
pub fn shared(fd: Fd, protection: Protection, first: u64, pages: u64) -> MapRequest {
    MapRequest {
        flags: MapFlags::SHARED,
        ..private(fd, protection, first, pages)
    }
}

impl System {
    /// 64 pages, two processes, trimming as by default.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl Fn(&mut Config)) -> Self {
        let mut config = Config {
            page_size: PAGE,
            processes: 2,
            ..Config::default()
        };
        change(&mut config);
        let memory = FlatMemory::new(&config).unwrap();
        Self {
            engine: Engine::new(config, memory).unwrap(),
            caller: P0,
        }
    }

    #[track_caller]
    pub fn map(&mut self, request: &MapRequest) -> u64 {
        let address = self.engine.mmap(self.caller, request);
        self.agrees();
        address.expect("it can be mapped")
    }

    #[track_caller]
    pub fn cannot_map(&mut self, request: &MapRequest, error: Errno) {
        assert_eq!(self.engine.mmap(self.caller, request), Err(error));
        self.agrees();
    }

    #[track_caller]
    pub fn unmap(&mut self, address: u64, pages: u64) {
        let result = self.engine.munmap(self.caller, address, pages * PAGE);
        self.agrees();
        result.expect("it can be unmapped");
    }

    #[track_caller]
    pub fn cannot_unmap(&mut self, address: u64, length: u64, error: Errno) {
        let result = self.engine.munmap(self.caller, address, length);
        assert_eq!(result, Err(error));
        self.agrees();
    }

    #[track_caller]
    pub fn open(&mut self, path: &str, flags: OpenFlags) -> Fd {
        let fd = self.engine.open(self.caller, path, flags);
        self.agrees();
        fd.expect("it can be opened")
    }

    /// A new file in `/ram`, so many bytes long, open for all.
    #[track_caller]
    pub fn memory_file(&mut self, path: &str, length: u64) -> Fd {
        let flags = OpenFlags::CREATE | OpenFlags::READ | OpenFlags::WRITE;
        let fd = self.open(path, flags);
        self.resize(fd, length);
        fd
    }

    #[track_caller]
    pub fn resize(&mut self, fd: Fd, length: u64) {
        let result = self.engine.ftruncate(self.caller, fd, length);
        self.agrees();
        result.expect("its size can be changed");
    }

    #[track_caller]
    pub fn write(&mut self, fd: Fd, offset: u64, bytes: &[u8]) {
        let source = Source::Bytes(bytes);
        let count = self.engine.write(self.caller, fd, offset, source);
        self.agrees();
        assert_eq!(count, Ok(bytes.len() as u64));
    }

    #[track_caller]
    pub fn read(&self, fd: Fd, offset: u64, length: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let result = self.engine.read(self.caller, fd, offset, length, &mut out);
        result.expect("it can be read");
        out
    }

    #[track_caller]
    pub fn store(&mut self, address: u64, bytes: &[u8]) {
        let result = self
            .engine
            .store(self.caller, address, Source::Bytes(bytes));
        result.expect("it can be stored to");
    }

    #[track_caller]
    pub fn load(&self, address: u64, length: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let result = self.engine.load(self.caller, address, length, &mut out);
        result.expect("it can be loaded");
        out
    }

    #[track_caller]
    pub fn cannot_load(&self, address: u64, length: u64) {
        let result = self
            .engine
            .load(self.caller, address, length, &mut Vec::new());
        assert_eq!(result, Err(Errno::EFAULT));
    }

    #[track_caller]
    pub fn script(&mut self, path: &str, script: Script) {
        self.engine
            .set_driver(path, &script)
            .expect("the driver can be told so");
    }

    /// Mappings of the caller, as first and last byte and a half.
    pub fn mapped(&self) -> Vec<(u64, u64)> {
        let mappings = self.engine.mappings(self.caller);
        mappings.map(|view| (view.start, view.end)).collect()
    }

    pub fn free_pages(&self) -> u64 {
        let blocks = self.engine.free_blocks();
        blocks.map(|block| 1 << block.order).sum()
    }

    /// Dirties all of memory, and gives it back.
    pub fn soil(&mut self) {
        let address = self.map(&anonymous(64));
        let source = Source::Fill {
            byte: 0xee,
            count: 64 * PAGE,
        };
        self.engine.store(self.caller, address, source).unwrap();
        self.unmap(address, 64);
    }

    #[track_caller]
    pub fn agrees(&self) {
        assert_eq!(self.engine.check(), Ok(()));
    }
}
