//! A workflow one node of which is a constructor, which only a server can make.

use cloacina_workflow::{task, workflow, Context, TaskError};
use serde_json::{json, Value};

cloacina_workflow_plugin::package!();

#[workflow(name = "greeting", description = "Greets whom it finds")]
pub mod greeting {
    use super::*;

    #[task(id = "find", dependencies = [])]
    pub async fn find(context: &mut Context<Value>) -> Result<(), TaskError> {
        context.insert("name", json!("Ada"))?;
        Ok(())
    }

    constructor!(
        id = "greet",
        from = "acme-text@0.1",
        constructor = "prefix",
        config = { prefix = "hello, " },
        grants = { env = ["LANG"] },
        dependencies = ["find"],
    );

    #[task(id = "tell", dependencies = ["greet"])]
    pub async fn tell(context: &mut Context<Value>) -> Result<(), TaskError> {
        context.insert("told", json!(true))?;
        Ok(())
    }
}
