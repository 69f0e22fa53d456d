//! A graph alone: in 0.5 it writes a plugin of its own, so that no workflow can stand beside it.

use cloacina_macros::computation_graph;

#[computation_graph(
    react = when_any(price, count),
    graph = {
        total(price, count) -> answer,
    }
)]
pub mod market {
    pub async fn total(price: Option<&u64>, count: Option<&u64>) -> u64 {
        price.copied().unwrap_or(0) * count.copied().unwrap_or(1)
    }
    pub async fn answer(total: &u64) -> serde_json::Value {
        serde_json::json!({ "total": total })
    }
}
