//! Chooses the prefetch count by the size of the messages.
//!
//! RabbitMQ does not implement AMQP's prefetch size.

/// The prefetch count of a topic: the maximum, unless its messages are too large.
#[derive(Debug)]
pub struct Prefetch {
    /// The count for the next subscription.
    pub count: u16,
    max: u16,
    bytes: usize,
}

impl Prefetch {
    /// Limits the deliveries to `max`, and their total size to `bytes`.
    pub const fn new(max: u16, bytes: usize) -> Self {
        Self { count: max, max, bytes }
    }

    /// Lowers the count after only `fitted` deliveries fitted.
    pub fn lower(&mut self, fitted: usize) {
        let fitted = u16::try_from(fitted).unwrap_or(u16::MAX);
        self.count = (fitted.min(self.count) / 2).max(1);
    }

    /// Raises the count if deliveries of this mean size fit; returns whether it did. The
    /// caller must then subscribe again, so the count rises in few steps.
    pub fn raise(&mut self, mean: usize) -> bool {
        let raised = self.count.saturating_mul(4).min(self.max);
        let fits = usize::from(raised).saturating_mul(mean) <= self.bytes / 2;
        let is_higher = fits && raised > self.count;
        if is_higher {
            self.count = raised;
        }
        is_higher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_follows_the_size_of_messages() {
        let mut prefetch = Prefetch::new(4_000, 20_000_000);
        assert!(!prefetch.raise(3_000), "the count is at its maximum");
        prefetch.lower(20);
        assert_eq!(prefetch.count, 10);
        assert!(!prefetch.raise(1_000_000));
        let mut steps = 0;
        while prefetch.raise(2_000) {
            steps += 1;
        }
        assert_eq!((prefetch.count, steps), (4_000, 5));
        prefetch.lower(1);
        assert_eq!(prefetch.count, 1);
        prefetch.lower(1);
        assert_eq!(prefetch.count, 1);
    }
}
