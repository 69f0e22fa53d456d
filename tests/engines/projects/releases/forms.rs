//! Every form that the macro of a task takes: retries, trigger rules, callbacks, visibilities. What
//! stands between `//{ 0.3..` and `//}` is of those releases alone.

//{ 0.6..
cloacina_workflow_plugin::package!();
//}

mod inner {
    //{ ..0.3
    use cloacina::{packaged_workflow, task, Context, TaskError};
    //}
    //{ 0.4..
    use cloacina_workflow::{task, workflow, Context, TaskError};
    //}
    use serde_json::{json, Value};
    use std::sync::atomic::{AtomicU32, Ordering};

    //{ ..0.3
    #[packaged_workflow(name = "forms", package = "release-kinds")]
    //}
    //{ 0.4..
    #[workflow(name = "forms")]
    //}
    mod forms {
        use super::*;

        /// Puts in what the rules ask for.
        #[task(
            id = "first",
            dependencies = [],
            retry_attempts = 1,
            //{ 0.3..
            on_success = told_success,
            //}
        )]
        pub async fn first(context: &mut Context<Value>) -> Result<(), TaskError> {
            context.insert("number", json!(5))?;
            context.insert("part", json!(0.5))?;
            context.insert("text", json!("größer"))?;
            context.insert("list", json!([1, "two"]))?;
            context.insert("flag", json!(true))?;
            Ok(())
        }

        #[task(
            id = "fixed", dependencies = ["first"], retry_attempts = 4, retry_backoff = "fixed",
            retry_delay_ms = 10, retry_max_delay_ms = 20, retry_jitter = false,
            retry_condition = "all",
        )]
        pub(super) async fn fixed(_context: &mut Context<Value>) -> Result<(), TaskError> {
            static FAILURES: AtomicU32 = AtomicU32::new(2);
            fail(&FAILURES, "for no reason")
        }

        #[task(
            id = "linear", dependencies = ["first"], retry_backoff = "linear", retry_delay_ms = 5,
            retry_max_delay_ms = 50, retry_condition = "transient",
        )]
        pub(crate) async fn linear(_context: &mut Context<Value>) -> Result<(), TaskError> {
            static FAILURES: AtomicU32 = AtomicU32::new(1);
            fail(&FAILURES, "the connection is gone")
        }

        #[task(
            id = "exponential", dependencies = ["first"], retry_attempts = 0x2,
            retry_backoff = "exponential", retry_delay_ms = 1_0, retry_condition = "lost, broken",
            retry_jitter = true,
        )]
        pub(in crate::inner) async fn exponential(_context: &mut Context<Value>) -> Result<(), TaskError> {
            static FAILURES: AtomicU32 = AtomicU32::new(1);
            fail(&FAILURES, "it got lost")
        }

        #[task(
            id = "hopeless", dependencies = ["first"], retry_attempts = 5, retry_condition = "never",
            //{ 0.3..
            on_failure = told_failure,
            //}
        )]
        pub async fn hopeless(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Err(TaskError::ValidationFailed { message: "as ever".to_string() })
        }

        //{ ..0.5
        #[task(id = "plain", dependencies = ["first"], trigger_rules = always)]
        async fn plain(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }
        //}
        //{ 0.6..
        #[task(id = "plain", dependencies = ["first"], trigger_rules = always)]
        pub fn plain(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }
        //}

        #[task(id = "after_success", dependencies = ["first"], trigger_rules = task_success("first"))]
        pub async fn after_success(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(id = "after_failure", dependencies = ["hopeless"], trigger_rules = task_failed("hopeless"))]
        pub async fn after_failure(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(id = "unlikely", dependencies = ["first"], trigger_rules = task_failed("first"))]
        pub async fn unlikely(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(id = "after_skip", dependencies = ["unlikely"], trigger_rules = task_skipped("unlikely"))]
        pub async fn after_skip(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(id = "equal", dependencies = ["first"], trigger_rules = context_value("number", equals, 5))]
        pub async fn equal(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(
            id = "every", dependencies = ["first"],
            trigger_rules = all(
                task_success("first"), context_value("number", not_equals, 0x06u8),
                context_value("part", greater_than, 0.25f64), context_value("part", less_than, 1.5e0),
                context_value("text", contains, "gr\u{f6}\
                                                 ß"), // one text, over two lines
                context_value("list", contains, r#"two"#), context_value("list", contains, 1),
                context_value("text", not_contains, "\""), context_value("flag", equals, true),
                context_value("text", exists, true), context_value("absent", not_exists, false),
            )
        )]
        pub async fn every(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(
            id = "either", dependencies = ["first", "unlikely"],
            trigger_rules = any(task_failed("first"), task_skipped("unlikely"), context_value("number", equals, 6))
        )]
        pub async fn either(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(
            id = "neither", dependencies = ["first"],
            trigger_rules = none(task_failed("first"), context_value("number", greater_than, 1_0))
        )]
        pub async fn neither(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        #[task(
            id = "skipped", dependencies = ["first"],
            trigger_rules = none(task_failed("first"), context_value("number", equals, 5))
        )]
        pub async fn skipped(_context: &mut Context<Value>) -> Result<(), TaskError> {
            Ok(())
        }

        //{ 0.10..
        #[task(
            id = "scored", dependencies = ["first"], invokes = computation_graph("scoring"),
            post_invocation = doubled, trigger_rules = task_success("first")
        )]
        pub async fn scored(context: &mut Context<Value>) -> Result<(), TaskError> {
            context.insert("points", json!(3))?;
            Ok(())
        }

        async fn doubled(context: &mut Context<Value>) -> Result<(), TaskError> {
            let score = context.get("score").and_then(|one| one["score"].as_i64()).unwrap_or(0);
            context.insert("doubled", json!(score * 2))?;
            Ok(())
        }
        //}

        fn fail(times: &AtomicU32, words: &str) -> Result<(), TaskError> {
            let left = times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            match left {
                Ok(_) => Err(TaskError::ValidationFailed { message: words.to_string() }),
                Err(_) => Ok(()),
            }
        }

        //{ 0.3..
        async fn told_success(task: &str, _context: &Context<Value>) -> Result<(), TaskError> {
            println!("{task} is done");
            Ok(())
        }

        async fn told_failure(task: &str, error: &TaskError, _context: &Context<Value>) -> Result<(), TaskError> {
            println!("{task} is not: {error}");
            Ok(())
        }
        //}
    }
}

//{ 0.10..
#[cloacina_macros::computation_graph(graph = { read -> score })]
pub mod scoring {
    pub async fn read(context: &cloacina_workflow::Context<serde_json::Value>) -> u64 {
        context.get("points").and_then(serde_json::Value::as_u64).unwrap_or(1)
    }
    pub async fn score(points: &u64) -> serde_json::Value {
        serde_json::json!({ "score": points * 10 })
    }
}
//}
