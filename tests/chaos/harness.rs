//! What a recipe gets, and how its outcome is told.

use std::{
    fmt::Display,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use serde_json::Value;

use crate::{clis, team::Team};

/// A recipe: the name by which it is asked for, and what it does.
pub type Recipe = (&'static str, fn(&Chaos) -> Result<(), Fault>);

/// Why a recipe could not be carried out, which counts as failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What the system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What a journal could not give.
    #[error("{0}")]
    Journal(#[from] engine::journal::JournalError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        Self::Other(why.to_owned())
    }
}

/// One recipe at work.
#[derive(Debug)]
pub struct Chaos {
    full: bool,
    seed: u64,
    rngs: AtomicU64,
    folder: PathBuf,
    failed: AtomicBool,
    told: AtomicU64,
}

impl Chaos {
    /// Whether this is the full form.
    pub fn full(&self) -> bool {
        self.full
    }

    /// A size that is one thing in the full form and another in the short one.
    pub fn scale<T>(&self, full: T, short: T) -> T {
        if self.full { full } else { short }
    }

    /// The seed of this recipe's randomness; it is printed, and `--seed` gives it again.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Randomness that is the same for the same seed; another one at each call.
    pub fn rng(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(self.rngs.fetch_add(1, Ordering::Relaxed) << 32))
    }

    /// A scratch folder of this recipe; kept when it fails.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A project with three scripted agents in the scratch folder; `script` gets the folder of the gates.
    pub fn team(&self, script: impl FnOnce(&Path) -> Vec<Value>) -> Team {
        let mut team = Team::below(&self.folder, script);
        // It goes with the scratch folder, or stays with it.
        team.keep(true);
        team
    }

    /// The same, run by the product without this protection.
    pub fn weakened(
        &self,
        weakness: engine::weakness::Weakness,
        script: impl FnOnce(&Path) -> Vec<Value>,
    ) -> Team {
        let mut team = self.team(script);
        team.run_by(clis::programs().join("orchestrate-weakened"));
        team.env("ORCHESTRATE_WEAKNESS", weakness.name());
        team
    }

    /// Tells what was reached of a goal.
    pub fn goal(&self, id: &str, value: impl Display, limit: impl Display, pass: bool) {
        say(&format!("GOAL {id} {value} {limit} {}", if pass { "pass" } else { "fail" }));
        self.count(pass);
    }

    /// Tells what was reached of a goal that measures time or the machine's load. It counts in the full form alone: a short
    /// form runs in `make test`, on machines that do other things meanwhile, and no test may hang on their speed.
    pub fn figure(&self, id: &str, value: impl Display, limit: impl Display, pass: bool) {
        if pass || self.full {
            return self.goal(id, value, limit, pass);
        }
        say(&format!("SLOW {id} {value} {limit}: counts in the full form alone"));
        self.count(true);
    }

    /// Tells how the same went with a protection taken away.
    pub fn control(&self, id: &str, what: impl Display, failed_as_it_must: bool) {
        say(&format!(
            "CONTROL {id} {what} {}",
            if failed_as_it_must { "fails" } else { "PASSES-BUT-MUST-FAIL" }
        ));
        self.count(failed_as_it_must);
    }

    /// Tells something worth knowing that is no goal.
    pub fn note(&self, text: impl Display) {
        say(&format!("     {text}"));
    }

    /// A recipe that this machine cannot carry out; neither passed nor failed.
    pub fn skipped(&self, id: &str, why: impl Display) {
        say(&format!("SKIPPED {id}: {why}"));
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self, well: bool) {
        self.told.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_or(!well, Ordering::Relaxed);
    }
}

/// What was asked for.
struct Asked {
    full: bool,
    seed: u64,
    names: Vec<String>,
}

/// Runs the recipes that the command line names.
pub fn main(recipes: &[Recipe]) -> ExitCode {
    let asked = match read(recipes) {
        Ok(asked) => asked,
        Err(why) => {
            say(&why);
            return ExitCode::from(2);
        }
    };
    clis::orchestrate_is_built();
    let form = if asked.full { "full" } else { "short" };
    let build = if cfg!(debug_assertions) { "without optimisation" } else { "optimised" };
    say(&format!("chaos, {form} form, built {build}, seed {}", asked.seed));
    let named = |name: &str| asked.names.is_empty() || asked.names.iter().any(|it| it == name);
    let mut failed = Vec::new();
    for (name, recipe) in recipes.iter().filter(|(name, _)| named(name)) {
        if !one(&asked, name, *recipe) {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    say(&format!("\nfailed: {}; the same again: chaos --seed {}", failed.join(" "), asked.seed));
    ExitCode::FAILURE
}

fn read(recipes: &[Recipe]) -> Result<Asked, String> {
    let all = recipes.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
    let mut asked = Asked { full: true, seed: fastrand::u64(..1 << 32), names: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--short" => asked.full = false,
            "--seed" => {
                let seed = words.next().and_then(|word| word.parse().ok());
                asked.seed = seed.ok_or("--seed needs a number")?;
            }
            "--list" => return Err(all),
            name if recipes.iter().any(|(known, _)| *known == name) => asked.names.push(name.to_owned()),
            other => return Err(format!("there is no recipe {other}; there are {all}")),
        }
    }
    Ok(asked)
}

/// Runs a recipe; whether all is as it should be.
fn one(asked: &Asked, name: &str, recipe: fn(&Chaos) -> Result<(), Fault>) -> bool {
    say(&format!("\n== {name}"));
    let began = Instant::now();
    let folder = match tempfile::Builder::new().prefix(&format!("chaos-{name}-")).tempdir() {
        Ok(folder) => folder,
        Err(fault) => {
            say(&format!("GOAL {name} no-folder:{fault} a-folder fail"));
            return false;
        }
    };
    let chaos = Chaos {
        full: asked.full,
        seed: asked.seed,
        rngs: AtomicU64::new(0),
        folder: folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_owned()),
        failed: AtomicBool::new(false),
        told: AtomicU64::new(0),
    };
    // A panic of a test's function is a failure of this recipe, not of those after it.
    let fault = match catch_unwind(AssertUnwindSafe(|| recipe(&chaos))) {
        Ok(Ok(())) if chaos.told.load(Ordering::Relaxed) == 0 => Some("it told nothing".to_owned()),
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(fault.to_string()),
        Err(_) => Some("it panicked, see above".to_owned()),
    };
    if let Some(fault) = fault {
        chaos.goal(&format!("{name}-carried-out"), fault.replace(char::is_whitespace, "_"), "yes", false);
    }
    let well = !chaos.failed.load(Ordering::Relaxed);
    say(&format!("     {name}: {:.1} s", began.elapsed().as_secs_f64()));
    if !well {
        say(&format!("     what it worked on is in {}", folder.keep().display()));
    }
    well
}

/// Prints a line. Nobody to print to changes nothing: the exit code tells the outcome.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
