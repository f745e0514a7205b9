//! The load: all phases that create something, in order.

use crate::created::{Created, Member};
use crate::creation::Creation;
use crate::findings::Finding;
use crate::run_id::RunId;
use crate::tally::Tally;
use anyhow::{Result, bail};

/// How much is to be created.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// 0: customer ids of the run's own take their place.
    pub users: u32,
    /// Products.
    pub products: u32,
    /// Orders.
    pub orders: u32,
}

/// Creates users and products, and places orders, until a stop is asked for.
/// The tallies of what was done are there even after an error.
///
/// # Errors
/// If a phase came to nothing.
pub async fn create(
    amounts: Amounts,
    run: RunId,
    creation: &Creation<'_>,
    tallies: &mut Vec<Tally>,
) -> Result<Created> {
    let is_stopped = || creation.drive.stop.is_asked();
    let mut created = Created {
        customers: Vec::new(),
        are_users: amounts.users > 0,
        products: Vec::new(),
        are_all_products_known: true,
        orders: Vec::new(),
        answers: Finding::new("answers to orders"),
    };
    if created.are_users {
        let (tally, users) = creation.users(amounts.users).await?;
        created.customers = users;
        tallies.push(tally);
        came_to_something(tallies, creation)?;
    } else {
        let ids = run.customer_ids(amounts.orders);
        created.customers = ids.zip(0..).map(|(id, index)| Member { index, id }).collect();
    }
    if amounts.products > 0 && !is_stopped() {
        let (tally, products) = creation.products(amounts.products).await?;
        created.products = products;
        created.are_all_products_known = tally.unknown == 0;
        tallies.push(tally);
        came_to_something(tallies, creation)?;
    }
    if amounts.orders > 0 && !is_stopped() {
        tallies.push(creation.orders(amounts.orders, &mut created).await?);
        came_to_something(tallies, creation)?;
    }
    Ok(created)
}

/// Refuses to go on after a phase that was given up, or in which nothing was
/// accepted.
fn came_to_something(tallies: &[Tally], creation: &Creation<'_>) -> Result<()> {
    let Some(tally) = tallies.last() else { return Ok(()) };
    if creation.drive.stop.is_asked() {
        return Ok(());
    }
    let end = "the run was given up, and verification was skipped";
    if tally.given_up {
        let patience = creation.drive.patience.as_secs();
        bail!("{}: nothing was accepted for {patience} s; {end}", tally.name);
    }
    if tally.accepted == 0 {
        let most = tally.reasons.iter().max_by_key(|(_, count)| **count);
        let why = most.map(|(why, _)| why.as_str()).unwrap_or_default();
        bail!("{}: none was accepted ({why}); {end}", tally.name);
    }
    Ok(())
}
