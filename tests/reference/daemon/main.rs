//! A daemon out of the released crates: Cloacina's own registry of a folder, its reconciler, loader
//! and runner, and around them the little that the program `cloacinactl daemon` adds to these.
//! That program was published from 0.6 on only, and from then on it loads nothing.
//!
//! `daemon HOME [POLL_MS]` watches HOME/packages. A line `NAME JSON` on its standard input runs the
//! workflow of that name; a line `ran NAME STATUS JSON` on its standard output says what came of it.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloacina::prelude::*;
use cloacina::registry::{FilesystemWorkflowRegistry, ReconcilerConfig, RegistryReconciler};
use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error>;

const QUIET: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let home = PathBuf::from(words.next().ok_or("which home?")?);
    let poll = words.next().map_or(Ok(500), |word| word.parse())?;
    let packages = home.join("packages");
    std::fs::create_dir_all(&packages)?;
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();

    let database = format!("sqlite://{}?mode=rwc&_journal_mode=WAL", home.join("cloacina.db").display());
    let runner = Arc::new(DefaultRunner::new(&database).await?);
    let registry = Arc::new(FilesystemWorkflowRegistry::new(vec![packages.clone()]));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let settings = ReconcilerConfig {
        reconcile_interval: Duration::from_millis(poll),
        enable_startup_reconciliation: false,
        ..ReconcilerConfig::default()
    };
    let reconciler = RegistryReconciler::new(registry, settings, stopped)?;

    reconcile(&reconciler).await;
    let (_watcher, mut changes) = watch(&packages)?;
    let mut asked = questions();
    let mut turn = tokio::time::interval(Duration::from_millis(poll));
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    eprintln!("watching");
    loop {
        tokio::select! {
            Some(()) = changes.recv() => reconcile(&reconciler).await,
            _ = turn.tick() => reconcile(&reconciler).await,
            Some(line) = asked.recv() => drop(tokio::spawn(answer(runner.clone(), line))),
            _ = ended.recv() => break,
        }
    }
    runner.shutdown().await?;
    Ok(())
}

async fn reconcile(reconciler: &RegistryReconciler) {
    match reconciler.reconcile().await {
        Ok(done) if done.has_changes() => eprintln!(
            "turn: {} loaded, {} unloaded",
            done.packages_loaded.len(),
            done.packages_unloaded.len()
        ),
        Ok(_) => {}
        Err(error) => eprintln!("turn: {error}"),
    }
}

/// What happens within half a second of a change that was told is not told.
fn watch(folder: &Path) -> Result<(impl Watcher, mpsc::Receiver<()>), Failure> {
    let (tell, told) = mpsc::channel(16);
    let mut last = Instant::now();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let ours = event.paths.iter().any(|path| path.extension().is_some_and(|end| end == "cloacina"));
        let kind = event.kind;
        let counts = matches!(kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
        if ours && counts && last.elapsed() >= QUIET {
            last = Instant::now();
            let _ = tell.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok((watcher, told))
}

fn questions() -> mpsc::Receiver<String> {
    let (ask, asked) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if ask.blocking_send(line).is_err() {
                return;
            }
        }
    });
    asked
}

async fn answer(runner: Arc<DefaultRunner>, line: String) {
    let (name, context) = line.split_once(' ').unwrap_or((&line, "{}"));
    let said = match Context::from_json(context.to_string()) {
        Ok(context) => match runner.execute(name, context).await {
            Ok(done) => format!("{:?} {}", done.status, done.final_context.to_json().unwrap_or_default()),
            Err(error) => format!("Refused {error}"),
        },
        Err(error) => format!("Refused {error}"),
    };
    println!("ran {name} {}", said.replace('\n', " "));
}
