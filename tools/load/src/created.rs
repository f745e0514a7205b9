//! What a run has created, as far as the responses tell.

use crate::bodies;
use crate::order::Stage;
use crate::plan::Entity;
use shared_events::OrderStatus;

/// The outcome of a planned order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It was not sent, or had no effect.
    NotPlaced,
    /// It may have had an effect.
    Unknown,
    /// It was accepted.
    Placed(Placed),
}

/// An accepted order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub id: i64,
    /// After the accepted commands.
    pub stage: Stage,
    /// After the command of unknown outcome, if it had an effect; `stage` without such a command.
    pub possible: Stage,
}

/// What the run has created.
#[derive(Debug, Default)]
pub struct Created {
    /// The customers of the orders, by ascending number in the plan.
    pub customers: Vec<Entity>,
    /// By ascending number in the plan.
    pub products: Vec<Entity>,
    /// By number in the plan.
    pub orders: Vec<Placement>,
}

impl Placement {
    /// Whether the order is known to be at this stage.
    pub fn is_at(&self, stage: Stage) -> bool {
        matches!(self, Self::Placed(placed) if *placed == Placed::at(placed.id, stage))
    }

    /// What is known while a command that leads to this stage has no response.
    pub const fn possibly_at(self, stage: Stage) -> Self {
        match self {
            Self::NotPlaced | Self::Unknown => Self::Unknown,
            Self::Placed(placed) => Self::Placed(Placed { possible: stage, ..placed }),
        }
    }
}

impl Placed {
    /// An order that is known to be at this stage.
    pub const fn at(id: i64, stage: Stage) -> Self {
        Self { id, stage, possible: stage }
    }

    /// Whether the order that a view shows has reached the stage.
    pub fn is_shown_by(self, order: &bodies::Order) -> bool {
        match self.stage {
            Stage::Placed => true,
            Stage::Paid => order.status.as_deref() != Some(OrderStatus::Created.as_str()),
            Stage::Refunded => !order.refunds.is_empty(),
        }
    }
}

impl Created {
    /// The accepted orders, with their numbers in the plan.
    pub fn placed(&self) -> impl Iterator<Item = (u32, Placed)> {
        (0..).zip(&self.orders).filter_map(|(number, placement)| match placement {
            Placement::Placed(placed) => Some((number, *placed)),
            Placement::Unknown | Placement::NotPlaced => None,
        })
    }

    /// The order with the highest id among those of the last stage that any has reached.
    pub fn last(&self) -> Option<Placed> {
        let known = self.placed().map(|(_, placed)| placed);
        let known = known.filter(|placed| placed.stage == placed.possible);
        known.max_by_key(|placed| (placed.stage, placed.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::order;

    #[test]
    fn a_command_without_a_response_leaves_two_stages_possible() {
        assert_eq!(Placement::NotPlaced.possibly_at(Stage::Placed), Placement::Unknown);
        let paid = Placement::Placed(Placed::at(5, Stage::Paid));
        assert!(paid.is_at(Stage::Paid) && !paid.is_at(Stage::Placed));
        let unknown = paid.possibly_at(Stage::Refunded);
        assert!(!unknown.is_at(Stage::Paid) && !unknown.is_at(Stage::Refunded));
        let orders = [(3, Stage::Paid), (2, Stage::Paid), (4, Stage::Placed)];
        let orders = orders.map(|(id, stage)| Placement::Placed(Placed::at(id, stage)));
        let created = Created { orders: [&orders[..], &[unknown]].concat(), ..Created::default() };
        assert_eq!(created.last(), Some(Placed::at(3, Stage::Paid)));
    }

    #[test]
    fn a_view_shows_a_stage_once_it_shows_its_effect() {
        let order = order(0, &[(0, 0, 1, "1")]);
        let stages = [Stage::Placed, Stage::Paid, Stage::Refunded];
        for reached in stages {
            let shown = order.shown(5, reached);
            let is_shown = stages.map(|stage| Placed::at(5, stage).is_shown_by(&shown));
            assert_eq!(is_shown, stages.map(|stage| stage <= reached));
        }
    }
}
