//! How many deliveries the broker may send ahead, by their size.
//!
//! AMQP has a prefetch size as well, which RabbitMQ does not implement.

/// The prefetch count of a topic: as high as it may be, until its messages are so large
/// that they do not fit.
#[derive(Debug)]
pub struct Prefetch {
    count: u16,
    most: u16,
    bytes: usize,
}

impl Prefetch {
    /// At most `most` deliveries, of together at most so many bytes.
    pub const fn new(most: u16, bytes: usize) -> Self {
        Self { count: most, most, bytes }
    }

    /// The count, which applies to new subscriptions.
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Only so many deliveries fitted.
    pub fn lower(&mut self, fitted: usize) {
        let fitted = u16::try_from(fitted).unwrap_or(u16::MAX);
        self.count = (fitted.min(self.count) / 2).max(1);
    }

    /// Deliveries have so many bytes in the mean. Whether the count is higher now: that
    /// takes a new subscription, so it is raised in few steps, and only if there is room.
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
