//! Numbers that look random and come again from the same seed.

/// Names the seed to take; without it each run has another.
const SEED: &str = "ALOFT_SEED";

/// A source of numbers (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The seed of `ALOFT_SEED`.
pub fn given() -> Option<u64> {
    std::env::var(SEED).ok()?.trim().parse().ok()
}

/// The seed of this run: that of `ALOFT_SEED`, or one of the clock. Who takes it prints it.
pub fn seed() -> u64 {
    given().unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos()) ^ now.as_secs()
    })
}

impl Random {
    /// Numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this one, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    /// Puts things into another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for at in (1..things.len()).rev() {
            things.swap(at, self.below(at + 1));
        }
    }
}
