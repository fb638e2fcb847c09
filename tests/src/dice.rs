//! Chance that comes out the same again.

/// A source of numbers: Marsaglia's xorshift.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that throw equal numbers for equal seeds.
    pub fn new(seed: u64) -> Self {
        Self((0x9e37_79b9_7f4a_7c15 ^ seed.wrapping_add(1)).max(1))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }

    /// A length below `end`.
    pub fn length(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let at = self.length(all.len());
        all.get(at).copied()
    }
}
