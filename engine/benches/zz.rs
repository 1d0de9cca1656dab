//! x
use nommu_engine::{Buddy, Order, PageCount, PageIndex};
fn main() {
    let mut b = Buddy::new(PageCount(1 << 20)).unwrap();
    let mut r: u64 = 0x2545_f491_4f6c_dd1d;
    let mut next = || {
        r ^= r << 13;
        r ^= r >> 7;
        r ^= r << 17;
        r
    };
    let reps: Vec<(usize, u8)> = (0..10000)
        .map(|_| ((next() % 1600) as usize, (next() >> 20) as u8 % 4))
        .collect();
    let mut blocks: Vec<(u32, u8)> = (0..1600)
        .map(|i| {
            let o = reps[i].1;
            (b.allocate(Order(o)).unwrap().0, o)
        })
        .collect();
    let t = std::time::Instant::now();
    for _ in 0..2000 {
        for &(i, o) in &reps {
            let (p, old) = blocks[i];
            b.free(PageIndex(p), Order(old).pages());
            blocks[i] = (b.allocate(Order(o)).unwrap().0, o);
        }
    }
    println!("{:.1}", t.elapsed().as_secs_f64() * 1e9 / 2e7);
}
