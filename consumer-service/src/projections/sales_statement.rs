//! The statement that adds deltas to a sales view, generated from its [`SalesView`].

use super::sales_delta::{Delta, Figures, Key, KeyValue};
use shared_events::views::{Dimension, Figure, Measure, SalesView};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use std::collections::BTreeMap;

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Adds deltas to the rows of a view.
pub async fn add(
    connection: &mut PgConnection,
    view: &SalesView,
    deltas: &BTreeMap<Key<'_>, Delta>,
) -> sqlx::Result<()> {
    let mut statement = sqlx::query(AssertSqlSafe(sql(view)));
    for (index, dimension) in view.dimensions.iter().enumerate() {
        statement = bind_key(statement, *dimension, deltas.keys().map(|key| key[index]));
    }
    for (measure, _) in view.measures {
        statement = bind_measure(statement, *measure, deltas);
    }
    statement.execute(connection).await?;
    Ok(())
}

/// The parameters are arrays, one per column. A column of zeros is an empty array, which
/// `unnest` extends with NULLs.
fn sql(view: &SalesView) -> String {
    let columns = view.columns();
    let parameters: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let sum = |(measure, column): &(Measure, &str)| match measure {
        Measure::StockMovedAt | Measure::LastOrderDate => {
            let newest = format!("{column} = greatest(view.{column}, excluded.{column})");
            ((*column).to_owned(), newest)
        }
        Measure::Total(_) | Measure::Cancelled(_) | Measure::Refunded(_) | Measure::StockTaken => {
            let sum = format!("{column} = view.{column} + excluded.{column}");
            (format!("coalesce({column}, 0)"), sum)
        }
    };
    let (inserted, assignments): (Vec<String>, Vec<String>) = view.measures.iter().map(sum).unzip();
    format!(
        "INSERT INTO {table} AS view ({columns})
         SELECT {key}, {inserted}
         FROM unnest({parameters}) AS delta ({columns})
         ON CONFLICT ({key}) DO UPDATE SET {assignments}",
        table = view.view.table,
        columns = columns.join(", "),
        key = view.view.key.join(", "),
        inserted = inserted.join(", "),
        parameters = parameters.join(", "),
        assignments = assignments.join(", "),
    )
}

fn bind_key<'q, 'v>(
    statement: Statement<'q>,
    dimension: Dimension,
    values: impl Iterator<Item = KeyValue<'v>>,
) -> Statement<'q> {
    match dimension {
        Dimension::Product | Dimension::Customer => {
            statement.bind(values.filter_map(KeyValue::try_as_id).collect::<Vec<_>>())
        }
        Dimension::Category => statement
            .bind(values.filter_map(KeyValue::try_as_text).map(str::to_owned).collect::<Vec<_>>()),
        Dimension::Hour => {
            statement.bind(values.filter_map(KeyValue::try_as_time).collect::<Vec<_>>())
        }
    }
}

fn bind_measure<'q>(
    statement: Statement<'q>,
    measure: Measure,
    deltas: &BTreeMap<Key<'_>, Delta>,
) -> Statement<'q> {
    let rows = deltas.values();
    match measure {
        Measure::Total(figure) => bind_figure(statement, figure, rows.map(|row| &row.total)),
        Measure::Cancelled(figure) => {
            bind_figure(statement, figure, rows.map(|row| &row.cancelled))
        }
        Measure::Refunded(figure) => bind_figure(statement, figure, rows.map(|row| &row.refunded)),
        Measure::StockTaken => statement.bind(omit_zeros(rows.map(|row| row.stock_taken))),
        Measure::StockMovedAt => {
            statement.bind(rows.map(|row| row.stock_moved_at).collect::<Vec<_>>())
        }
        Measure::LastOrderDate => {
            statement.bind(rows.map(|row| row.last_order_date).collect::<Vec<_>>())
        }
    }
}

fn bind_figure<'q, 'd>(
    statement: Statement<'q>,
    figure: Figure,
    figures: impl Iterator<Item = &'d Figures>,
) -> Statement<'q> {
    match figure {
        Figure::Quantity => statement.bind(omit_zeros(figures.map(|row| row.quantity))),
        Figure::Revenue => statement.bind(omit_zeros(figures.map(|row| row.revenue))),
        Figure::Orders => statement.bind(omit_zeros(figures.map(|row| row.orders))),
    }
}

/// The values, or an empty array if all are zero. Most batches cancel and refund nothing, and
/// sending and reading six columns of zeros took a fifth of the statement's time.
fn omit_zeros<T: Default + PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let values: Vec<T> = values.collect();
    if values.iter().all(|value| *value == T::default()) { Vec::new() } else { values }
}

#[cfg(test)]
mod database_tests {
    use shared_events::views::SALES_VIEWS;
    use sqlx::PgPool;

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn sales_views_list_every_column_of_their_tables(pool: PgPool) {
        for view in &SALES_VIEWS {
            let mut stored: Vec<String> = sqlx::query_scalar(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1",
            )
            .bind(view.view.table)
            .fetch_all(&pool)
            .await
            .unwrap();
            let mut listed = view.columns();
            listed.sort_unstable();
            stored.sort_unstable();
            assert_eq!(listed, stored, "{}", view.view.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_zeros_is_omitted() {
        assert_eq!(omit_zeros([0, 0].into_iter()), [0; 0]);
        assert_eq!(omit_zeros([0, 2].into_iter()), [0, 2]);
    }
}
