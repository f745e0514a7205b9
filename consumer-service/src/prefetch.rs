//! Chooses the prefetch count by the size of the messages.
//!
//! RabbitMQ does not implement AMQP's prefetch size.

/// The prefetch count of a topic: the maximum, unless its messages are too large.
#[derive(Debug)]
pub struct Prefetch {
    count: u16,
    most: u16,
    bytes: usize,
}

impl Prefetch {
    /// At most `most` deliveries with at most so many bytes in all.
    pub const fn new(most: u16, bytes: usize) -> Self {
        Self { count: most, most, bytes }
    }

    /// The count for the next subscription.
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Lowers the count: only so many deliveries fitted.
    pub fn lower(&mut self, fitted: usize) {
        let fitted = u16::try_from(fitted).unwrap_or(u16::MAX);
        self.count = (fitted.min(self.count) / 2).max(1);
    }

    /// Raises the count if deliveries of this mean size fit; returns whether it did. The
    /// caller must then subscribe again, so the count rises in few steps.
    pub fn raise(&mut self, mean: usize) -> bool {
        let raised = self.count.saturating_mul(4).min(self.most);
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
    fn it_follows_the_size_of_messages() {
        let mut prefetch = Prefetch::new(4_000, 20_000_000);
        assert!(!prefetch.raise(3_000), "it is as high as it may be");
        prefetch.lower(20);
        assert_eq!(prefetch.count(), 10);
        assert!(!prefetch.raise(1_000_000));
        let mut steps = 0;
        while prefetch.raise(2_000) {
            steps += 1;
        }
        assert_eq!((prefetch.count(), steps), (4_000, 5));
        prefetch.lower(1);
        assert_eq!(prefetch.count(), 1);
        prefetch.lower(1);
        assert_eq!(prefetch.count(), 1);
    }
}
