//! The tables of a scope as they are written; `specs/scopes.md` is their reference.

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub about: Spanned<String>,
    pub depth: Option<Spanned<u32>>,
    #[serde(default)]
    pub system: SystemText,
    pub most: Option<Spanned<MostText>>,
    #[serde(default)]
    pub mmap: Vec<Spanned<MmapText>>,
    #[serde(default)]
    pub munmap: Vec<Spanned<String>>,
    pub mremap: Option<Spanned<MremapText>>,
    pub access: Option<Spanned<AccessText>>,
    #[serde(default)]
    pub open: Vec<Spanned<OpenText>>,
    pub files: Option<Spanned<FilesText>>,
    pub processes: Option<Spanned<ProcessesText>>,
    pub segments: Option<Spanned<SegmentsText>>,
    #[serde(default)]
    pub trim: Vec<Spanned<u64>>,
    #[serde(default)]
    pub driver: Vec<Spanned<DriverText>>,
    #[serde(default)]
    pub maps: bool,
    #[serde(default)]
    pub unsupported: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct SystemText {
    pub page: Option<Spanned<u64>>,
    pub pages: Option<Spanned<u64>>,
    pub trim: Option<u64>,
    #[serde(default)]
    pub uninitialized: bool,
    pub profile: Option<Spanned<String>>,
    pub processes: Option<Spanned<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MostText {
    pub mappings: Option<Spanned<usize>>,
    pub processes: Option<Spanned<usize>>,
    pub descriptors: Option<Spanned<usize>>,
    pub segments: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MmapText {
    pub paths: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub unnamed: bool,
    #[serde(default)]
    pub foreign: bool,
    #[serde(default)]
    pub hint: bool,
    #[serde(default)]
    pub bytes: Vec<Spanned<i64>>,
    pub protection: Vec<Spanned<String>>,
    pub flags: Vec<Spanned<String>>,
    #[serde(default)]
    pub offset_pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub offset_bytes: Vec<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MremapText {
    #[serde(default)]
    pub pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub bytes: Vec<Spanned<i64>>,
    pub flags: Vec<Spanned<String>>,
    #[serde(default)]
    pub parts: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessText {
    #[serde(default)]
    pub at: Vec<Spanned<String>>,
    #[serde(default)]
    pub load: bool,
    #[serde(default)]
    pub store: Vec<Spanned<String>>,
    #[serde(default)]
    pub futex: Vec<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenText {
    pub paths: Vec<Spanned<String>>,
    pub flags: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesText {
    #[serde(default)]
    pub close: bool,
    #[serde(default)]
    pub dup: bool,
    #[serde(default)]
    pub truncate_pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub truncate_bytes: Vec<Spanned<i64>>,
    #[serde(default)]
    pub truncate_paths: Vec<Spanned<String>>,
    #[serde(default)]
    pub write: Vec<Spanned<String>>,
    #[serde(default)]
    pub write_bytes: Vec<Spanned<u64>>,
    #[serde(default)]
    pub offset_pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub offset_bytes: Vec<Spanned<i64>>,
    pub read_bytes: Option<u64>,
    #[serde(default)]
    pub unlink: Vec<Spanned<String>>,
    #[serde(default)]
    pub unnamed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessesText {
    #[serde(default)]
    pub fork: bool,
    #[serde(default)]
    pub vfork: bool,
    #[serde(default)]
    pub clone: bool,
    #[serde(default)]
    pub exec: Vec<Spanned<String>>,
    #[serde(default)]
    pub stack_pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub stack_bytes: Vec<Spanned<i64>>,
    #[serde(default)]
    pub exit: bool,
    #[serde(default)]
    pub ptrace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentsText {
    pub keys: Vec<Spanned<u32>>,
    pub pages: Vec<Spanned<u64>>,
    #[serde(default)]
    pub bytes: Vec<Spanned<i64>>,
    pub flags: Vec<Spanned<String>>,
    #[serde(default)]
    pub read_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DriverText {
    pub path: Spanned<String>,
    #[serde(default)]
    pub area: Vec<Spanned<String>>,
    #[serde(default)]
    pub mmap: Vec<Spanned<String>>,
    #[serde(default)]
    pub capabilities: Vec<Spanned<String>>,
    #[serde(default)]
    pub read: Vec<Spanned<bool>>,
    #[serde(default)]
    pub busy: Vec<Spanned<bool>>,
}
