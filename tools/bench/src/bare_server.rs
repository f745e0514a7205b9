//! The bare server that queries are compared with: axum, a connection pool, one statement by
//! key, and a response by serde. It has no logs, metrics, health or checks.

use crate::servers::setting;
use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use kit::note;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Connections, as many as the query service has by default.
const CONNECTIONS: u32 = 10;

/// The columns that the query service reads.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
struct LifetimeValue {
    customer_id: i64,
    total_spent: Decimal,
    order_count: i64,
    last_order_date: Option<DateTime<Utc>>,
}

pub async fn run() -> Result<ExitCode> {
    let options: PgConnectOptions = setting("READ_DATABASE_URL")?.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    let routes = Router::new().route("/{id}", get(find)).with_state(pool);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    note(&format!("api: listening on {}", listener.local_addr()?));
    axum::serve(listener, routes).await.context("HTTP server")?;
    Ok(ExitCode::SUCCESS)
}

async fn find(
    State(pool): State<PgPool>,
    Path(id): Path<i64>,
) -> Result<Json<LifetimeValue>, StatusCode> {
    sqlx::query_as(
        "SELECT customer_id, total_spent, order_count, last_order_date
         FROM customer_ltv_view
         WHERE customer_id = $1",
    )
    .bind(id)
    .fetch_optional(&pool)
    .await
    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
    .map(Json)
    .ok_or(StatusCode::NOT_FOUND)
}
