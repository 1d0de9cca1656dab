//! A file system in flash: romfs, whose files can be mapped where they are.
//!
//! Everything in it is aligned to 16 bytes only, so no file's data begins at a page
//! (lines 111-113).

/// Bytes of a page of the machine.
const PAGE: usize = 4096;
/// What everything is aligned to.
const ALIGNMENT: usize = 16;
/// How many bytes the checksum of the beginning covers, at most.
const CHECKED: usize = 512;

/// One file.
pub struct File {
    /// Its name, of at most 15 bytes.
    pub name: &'static str,
    /// Its contents.
    pub contents: Vec<u8>,
}

/// The files that `specs/trace.md` says are in `/rom`: a byte tells its file, page and place.
pub fn files() -> Vec<File> {
    let contents = |number: usize, size: usize| -> Vec<u8> {
        (0..size)
            .map(|at| ((17 * number + 31 * (at / PAGE) + at) % 251 + 1) as u8)
            .collect()
    };
    vec![
        File {
            name: "a",
            contents: contents(5, 3 * PAGE + PAGE / 4),
        },
        File {
            name: "b",
            contents: contents(6, PAGE),
        },
    ]
}

/// The image of a directory of files.
pub fn image(files: &[File]) -> Vec<u8> {
    let mut image = b"-rom1fs-".to_vec();
    image.resize(ALIGNMENT, 0);
    name(&mut image, "rom");
    let root = image.len();
    // Directories are type 1, regular files type 2; 8 stands for executable.
    let first = root + 2 * ALIGNMENT;
    header(&mut image, 1 | 8, first, 0, ".");
    for (index, file) in files.iter().enumerate() {
        let start = image.len();
        // What lies behind a file up to the end of its last page is its own, and zero.
        let next = start + 2 * ALIGNMENT + file.contents.len().next_multiple_of(PAGE);
        let is_last = index + 1 == files.len();
        let link = if is_last { 0 } else { next };
        header(&mut image, link | 2 | 8, 0, file.contents.len(), file.name);
        image.extend_from_slice(&file.contents);
        image.resize(next, 0);
    }
    let size = image.len();
    put(&mut image, 8, size);
    let end = CHECKED.min(size);
    balance(&mut image, 0, end, 12);
    image
}

fn header(image: &mut Vec<u8>, next_and_type: usize, info: usize, size: usize, file: &str) {
    let start = image.len();
    image.resize(start + ALIGNMENT, 0);
    put(image, start, next_and_type);
    put(image, start + 4, info);
    put(image, start + 8, size);
    name(image, file);
    balance(image, start, start + 2 * ALIGNMENT, start + 12);
}

fn name(image: &mut Vec<u8>, name: &str) {
    assert!(name.len() < ALIGNMENT, "a name of one unit");
    let end = image.len() + ALIGNMENT;
    image.extend_from_slice(name.as_bytes());
    image.resize(end, 0);
}

fn put(image: &mut [u8], at: usize, value: usize) {
    let value = u32::try_from(value).expect("an image is small");
    image[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Sets the word at `at` so that the words of a range add up to nothing.
fn balance(image: &mut [u8], start: usize, end: usize, at: usize) {
    put(image, at, 0);
    let sum = image[start..end].chunks(4).fold(0_u32, |sum, word| {
        let mut bytes = [0; 4];
        bytes[..word.len()].copy_from_slice(word);
        sum.wrapping_add(u32::from_be_bytes(bytes))
    });
    image[at..at + 4].copy_from_slice(&sum.wrapping_neg().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::{CHECKED, PAGE, files, image};

    fn sum(bytes: &[u8]) -> u32 {
        bytes.chunks(4).fold(0, |sum, word| {
            sum.wrapping_add(u32::from_be_bytes(word.try_into().expect("whole words")))
        })
    }

    #[test]
    fn sums_are_balanced() {
        let image = image(&files());
        assert_eq!(sum(&image[..CHECKED]), 0);
        assert_eq!(sum(&image[32..64]), 0);
        assert_eq!(sum(&image[64..96]), 0);
        assert_eq!(
            u32::from_be_bytes(image[8..12].try_into().expect("four bytes")) as usize,
            image.len()
        );
    }

    #[test]
    fn no_file_begins_at_a_page() {
        let files = files();
        let image = image(&files);
        for file in &files {
            let start = image
                .windows(64)
                .position(|window| window == &file.contents[..64])
                .expect("its contents are in the image");
            assert_ne!(start % PAGE, 0, "{}", file.name);
            let end = start + file.contents.len();
            let page_end = start + file.contents.len().next_multiple_of(PAGE);
            assert!(image[end..page_end].iter().all(|byte| *byte == 0));
        }
    }
}
