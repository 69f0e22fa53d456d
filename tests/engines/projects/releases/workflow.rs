//! A workflow with everything that a release knows. What stands between `//{ 0.6..` and `//}` is
//! of those releases alone; the tests take the rest out before cargo sees it.

//{ ..0.3
use cloacina::{packaged_workflow, task, Context, TaskError};
//}
//{ 0.4..
use cloacina_workflow::{task, workflow, Context, TaskError};
//}
//{ 0.6..
use cloacina_macros::{computation_graph, reactor, trigger};
use cloacina_workflow::{TriggerError, TriggerResult};
//}
use serde_json::{json, Value};

//{ 0.6..
cloacina_workflow_plugin::package!();
//}

//{ ..0.3
#[packaged_workflow(
    name = "kinds",
    package = "release-kinds",
    description = "One task of each kind",
    author = "Ada"
)]
//}
//{ 0.4..0.5
#[workflow(name = "kinds", description = "One task of each kind", author = "Ada")]
//}
//{ 0.6..0.8
#[workflow(name = "kinds", description = "One task of each kind", author = "Ada", triggers = ["inbox"])]
//}
//{ 0.9..0.9
#[workflow(
    name = "kinds",
    description = "One task of each kind",
    author = "Ada",
    triggers = ["inbox"],
    params(day: String, limit: u32 = 7)
)]
//}
//{ 0.10..
#[workflow(
    name = "kinds",
    description = "One task of each kind",
    author = "Ada",
    triggers = ["inbox"],
    params(day: String, limit: u32 = 7),
    secrets(db)
)]
//}
pub mod kinds {
    use super::*;

    #[task(id = "collect", dependencies = [], retry_attempts = 2)]
    pub async fn collect(context: &mut Context<Value>) -> Result<(), TaskError> {
        println!("collecting");
        put(context, "data", json!(42))
    }

    #[task(id = "double", dependencies = ["collect"])]
    pub async fn double(context: &mut Context<Value>) -> Result<(), TaskError> {
        let data = context.get("data").and_then(Value::as_i64).unwrap_or(0);
        put(context, "result", json!(data * 2))
    }

    /// Does what the context asks for.
    #[task(id = "trouble", dependencies = ["collect"])]
    pub async fn trouble(context: &mut Context<Value>) -> Result<(), TaskError> {
        match context.get("trouble").and_then(Value::as_str) {
            Some("panic") => panic!("as it was asked to"),
            Some(words) => Err(TaskError::ValidationFailed { message: words.to_string() }),
            None => Ok(()),
        }
    }

    //{ 0.8..
    #[task(id = "ruled", dependencies = ["double"], trigger_rules = task_success("double"))]
    pub async fn ruled(context: &mut Context<Value>) -> Result<(), TaskError> {
        put(context, "ruled", json!(true))
    }
    //}

    //{ 0.10..
    #[task(id = "secretive", dependencies = [])]
    pub async fn secretive(context: &mut Context<Value>) -> Result<(), TaskError> {
        if context.get("secret").is_some() {
            context.secret_field("db", "password").await.map_err(|error| {
                TaskError::ValidationFailed { message: error.to_string() }
            })?;
        }
        Ok(())
    }
    //}

    //{ 0.11..
    #[task(id = "patient", dependencies = ["collect"])]
    pub async fn patient(
        context: &mut Context<Value>,
        handle: &mut cloacina_workflow_plugin::TaskHandle,
    ) -> Result<(), TaskError> {
        let polls = std::sync::atomic::AtomicU32::new(0);
        handle
            .defer_until(
                || async { polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2 },
                std::time::Duration::from_millis(1),
            )
            .await?;
        let polls = polls.into_inner();
        put(context, "polls", json!(polls))?;
        put(context, "execution", json!(handle.task_execution_id()))
    }
    //}

    /// The last one, whose context is that of the workflow.
    #[task(
        id = "report",
        //{ ..0.7
        dependencies = ["double", "trouble"]
        //}
        //{ 0.8..0.9
        dependencies = ["double", "trouble", "ruled"]
        //}
        //{ 0.10..0.10
        dependencies = ["double", "trouble", "ruled", "secretive"]
        //}
        //{ 0.11..
        dependencies = ["double", "trouble", "ruled", "secretive", "patient"]
        //}
    )]
    pub async fn report(context: &mut Context<Value>) -> Result<(), TaskError> {
        put(context, "reported", json!(true))
    }

    fn put(context: &mut Context<Value>, key: &str, value: Value) -> Result<(), TaskError> {
        if context.get(key).is_some() {
            context.update(key, value)?;
        } else {
            context.insert(key, value)?;
        }
        Ok(())
    }
}

//{ 0.6..
#[trigger(on = "kinds", poll_interval = "5s", allow_concurrent = true)]
pub async fn inbox() -> Result<TriggerResult, TriggerError> {
    let mut context = Context::new();
    context.insert("file", json!("a.csv"))?;
    Ok(TriggerResult::Fire(Some(context)))
}

#[trigger(on = "kinds", poll_interval = "2m")]
pub async fn silent() -> Result<TriggerResult, TriggerError> {
    Ok(TriggerResult::Skip)
}

#[trigger(on = "kinds", poll_interval = "1h")]
pub async fn broken() -> Result<TriggerResult, TriggerError> {
    Err(TriggerError::PollError { message: "no inbox".to_string() })
}

#[trigger(on = "kinds", cron = "0 3 * * *")]
pub async fn nightly() -> Result<TriggerResult, TriggerError> {
    Ok(TriggerResult::Skip)
}

#[reactor(name = "ticker", accumulators = [price, count], criteria = when_all(price, count))]
pub struct Ticker;

#[computation_graph(
    trigger = reactor("ticker"),
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
//}

//{ 0.10..
#[computation_graph(graph = { read -> score })]
pub mod scoring {
    pub async fn read(context: &cloacina_workflow::Context<serde_json::Value>) -> u64 {
        context.get("points").and_then(serde_json::Value::as_u64).unwrap_or(1)
    }
    pub async fn score(points: &u64) -> serde_json::Value {
        serde_json::json!({ "score": points * 10 })
    }
}
//}
