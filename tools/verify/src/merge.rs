//! Merges two sorted streams by key in constant memory.

use anyhow::Result;
use futures::future::try_join;
use futures::{Stream, TryStreamExt};
use std::cmp::Ordering;
use std::pin::pin;

/// What the streams contain for a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Pair<L, R> {
    /// Only the left stream has it.
    Left(L),
    /// Only the right stream has it.
    Right(R),
    /// Both streams have it.
    Both(L, R),
}

/// Passes the pair of each key to `take`, by ascending key. Both streams are sorted by
/// `order` and contain each key once.
///
/// # Errors
/// Those of the streams, of `order` and of `take`.
pub async fn merge<L, R>(
    left: impl Stream<Item = Result<L>>,
    right: impl Stream<Item = Result<R>>,
    order: impl Fn(&L, &R) -> Result<Ordering>,
    mut take: impl FnMut(Pair<L, R>) -> Result<()>,
) -> Result<()> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    // Both databases run their statements at the same time.
    let mut heads = try_join(left.try_next(), right.try_next()).await?;
    loop {
        let (pair, next) = match heads {
            (None, None) => return Ok(()),
            (Some(l), None) => (Pair::Left(l), (left.try_next().await?, None)),
            (None, Some(r)) => (Pair::Right(r), (None, right.try_next().await?)),
            (Some(l), Some(r)) => match order(&l, &r)? {
                Ordering::Less => (Pair::Left(l), (left.try_next().await?, Some(r))),
                Ordering::Greater => (Pair::Right(r), (Some(l), right.try_next().await?)),
                Ordering::Equal => {
                    (Pair::Both(l, r), try_join(left.try_next(), right.try_next()).await?)
                }
            },
        };
        take(pair)?;
        heads = next;
    }
}

#[cfg(test)]
mod tests {
    use super::Pair::{Both, Left, Right};
    use super::*;
    use anyhow::anyhow;
    use futures::FutureExt;
    use futures::stream::iter;

    fn merged(left: &[i32], right: &[i32]) -> Vec<Pair<i32, i32>> {
        let mut pairs = Vec::new();
        merge(
            iter(left.iter().copied().map(Ok)),
            iter(right.iter().copied().map(Ok)),
            |left, right| Ok(left.cmp(right)),
            |pair| {
                pairs.push(pair);
                Ok(())
            },
        )
        .now_or_never()
        .unwrap()
        .unwrap();
        pairs
    }

    #[test]
    fn each_key_is_passed_once_in_order() {
        assert_eq!(
            merged(&[1, 2, 4, 7], &[2, 3, 4, 5]),
            [Left(1), Both(2, 2), Right(3), Both(4, 4), Right(5), Left(7)]
        );
    }

    #[test]
    fn either_side_may_be_empty() {
        assert_eq!(merged(&[], &[]), []);
        assert_eq!(merged(&[1, 2], &[]), [Left(1), Left(2)]);
        assert_eq!(merged(&[], &[3]), [Right(3)]);
    }

    #[test]
    fn an_error_of_a_stream_ends_the_merge() {
        let broken = iter([Ok(1), Err(anyhow!("broken"))]);
        let outcome = merge(broken, iter([Ok(1)]), |l: &i32, r| Ok(l.cmp(r)), |_| Ok(()));
        assert_eq!(outcome.now_or_never().unwrap().unwrap_err().to_string(), "broken");
    }
}
