//! Bringing the session branch into the branch the user came from.
//!
//! This is the only place where the user's checkout is written. Nothing of the user's is overwritten: files with
//! uncommitted changes that landing would touch are named and nothing is done; all others stay as they are. The intent
//! is kept on a ref before the first file is written, so a landing that was cut off is finished by the next call, and
//! one that is done is not done again.

mod checkout;
mod copy;
#[cfg(test)]
mod race;

use domain::{CommitHash, LandMethod, LandingFacts, TreeHash};

use super::{
    Landed, TreeError, Trees, inspect,
    merge::{Merged, merge_trees},
    names,
    refs::Move,
};
use checkout::Checkout;

/// The landing that was begun and perhaps cut off: what the branch shall be.
const INTENT: &str = "_landing";
/// What the branch was then.
const INTENT_FROM: &str = "_landing-from";
/// The landing that is done.
const DONE: &str = "_landed";

/// Where the user's branch and the session's stand.
struct Ground {
    branch: String,
    tip: CommitHash,
    session: CommitHash,
    /// Where the user's branch is checked out, if anywhere.
    checkout: Option<Checkout>,
}

/// What landing would make of the user's branch.
enum Outcome {
    Forward,
    Merge(TreeHash),
    Conflict(Vec<String>),
}

impl Trees {
    /// What landing would do now. Writes nothing but unreferenced objects.
    ///
    /// # Errors
    /// When branch or repository are gone, or what git says.
    pub fn dry_run(&self) -> Result<LandingFacts, TreeError> {
        let _turn = self.turn();
        let domain::Trees::Repository { branch, .. } = &self.kept else { return self.dry_run_copy() };
        let into = branch.clone().unwrap_or_else(|| self.names.branch().to_owned());
        let mut facts = LandingFacts {
            into,
            methods: Vec::new(),
            conflicts: Vec::new(),
            in_the_way: Vec::new(),
            commits: 0,
            refused: self.over()?,
        };
        if facts.refused.is_some() {
            return Ok(facts);
        }
        facts.methods.push(LandMethod::Keep);
        facts.commits = self.count(self.kept.base(), &self.head()?)?;
        let ground = match self.ground() {
            Ok(ground) => ground,
            Err(TreeError::Refused { why }) => return Ok(LandingFacts { refused: Some(why), ..facts }),
            Err(fault) => return Err(fault),
        };
        facts.commits = self.count(&ground.tip, &ground.session)?;
        let (tree, methods) = match self.outcome(&ground)? {
            Outcome::Forward => {
                let tree = self.tree_of(&ground.session)?;
                (tree, vec![LandMethod::FastForward, LandMethod::Squash, LandMethod::Merge])
            }
            Outcome::Merge(tree) => (tree, vec![LandMethod::Merge, LandMethod::Squash]),
            Outcome::Conflict(files) => return Ok(LandingFacts { conflicts: files, ..facts }),
        };
        if let Some(checkout) = &ground.checkout {
            let touched = checkout.touched(self, &ground.tip, tree.as_str())?;
            facts.in_the_way = touched.in_the_way.iter().map(|path| self.project(path)).collect();
        }
        if facts.in_the_way.is_empty() {
            facts.methods.splice(0..0, methods);
        }
        Ok(facts)
    }

    /// Lands. Repeated, it finishes what was cut off or gives what was done. For a target that is no repository every
    /// method but `Keep` copies the changed files into it.
    ///
    /// # Errors
    /// [`TreeError::Refused`], [`TreeError::InTheWay`], [`TreeError::Conflicts`]: then nothing was changed.
    pub fn land(&self, method: LandMethod, message: &str) -> Result<Landed, TreeError> {
        let _turn = self.turn();
        if let Some(landed) = self.landed()? {
            return Ok(landed);
        }
        if method == LandMethod::Keep {
            return Ok(Landed { commit: self.head()?, branch: self.names.branch().to_owned() });
        }
        if matches!(self.kept, domain::Trees::Shadow { .. }) {
            return self.land_copy();
        }
        if let Some(why) = self.over()? {
            return Err(TreeError::Refused { why });
        }
        let ground = self.ground()?;
        if let Some(result) = self.begun(&ground)? {
            return self.apply(&ground, &result, true);
        }
        if self.is_ancestor(&ground.session, &ground.tip)? {
            let done = Move::Create { name: self.names.private(DONE), to: ground.tip.clone() };
            self.transact("already landed", &[done])?;
            return Ok(Landed { commit: ground.tip, branch: ground.branch });
        }
        let result = self.result(&ground, method, message)?;
        self.apply(&ground, &result, false)
    }

    /// Where it has been landed, once it has.
    ///
    /// # Errors
    /// What git says.
    pub fn landed(&self) -> Result<Option<Landed>, TreeError> {
        let branch = match &self.kept {
            domain::Trees::Repository { branch, .. } => branch.clone().unwrap_or_default(),
            domain::Trees::Shadow { .. } => self.target.to_string_lossy().into_owned(),
        };
        Ok(self.resolve(&self.names.private(DONE))?.map(|commit| Landed { commit, branch }))
    }

    /// Why there is nothing to land, if there is not.
    fn over(&self) -> Result<Option<String>, TreeError> {
        if let Some(Landed { commit, branch }) = self.landed()? {
            return Ok(Some(format!("this session has been landed in {branch} already, as {commit}")));
        }
        let nothing = self.tree_of(&self.head()?)? == self.tree_of(self.kept.base())?;
        Ok(nothing.then(|| "the session changed nothing".to_owned()))
    }

    fn ground(&self) -> Result<Ground, TreeError> {
        let refused = |why: &str| TreeError::Refused { why: why.to_owned() };
        let domain::Trees::Repository { branch: Some(branch), .. } = &self.kept else {
            return Err(refused(
                "no branch was checked out when the session began; merge the session's branch by hand",
            ));
        };
        let tip = self.resolve(&names::head(branch))?.ok_or_else(|| {
            refused("the branch the session began on is gone; merge the session's branch by hand")
        })?;
        let here = inspect::locate(&self.git, &self.target)?;
        let checkout = Checkout::of(self, branch)?;
        let busy = here
            .as_ref()
            .map(|found| &found.git_dir)
            .into_iter()
            .chain(checkout.as_ref().map(|it| &it.git_dir));
        if let Some(what) = busy.filter_map(|git_dir| inspect::busy(git_dir)).next() {
            return Err(refused(&format!(
                "a {what} is in progress in the project; finish or abort it first"
            )));
        }
        Ok(Ground { branch: branch.clone(), tip, session: self.head()?, checkout })
    }

    fn outcome(&self, ground: &Ground) -> Result<Outcome, TreeError> {
        if self.is_ancestor(&ground.tip, &ground.session)? {
            return Ok(Outcome::Forward);
        }
        Ok(match merge_trees(&self.store(), &ground.tip, &ground.session)? {
            Merged::Clean(tree) => Outcome::Merge(tree),
            Merged::Conflict(files) => {
                Outcome::Conflict(files.iter().map(|path| self.project(path)).collect())
            }
        })
    }

    /// The commit that the user's branch shall be.
    fn result(&self, ground: &Ground, method: LandMethod, message: &str) -> Result<CommitHash, TreeError> {
        let tree = match (self.outcome(ground)?, method) {
            (Outcome::Conflict(files), _) => return Err(TreeError::Conflicts { files }),
            (Outcome::Forward, LandMethod::FastForward) => return Ok(ground.session.clone()),
            (Outcome::Merge(_), LandMethod::FastForward) => {
                let why = format!(
                    "the branch {} has moved on, so it cannot be fast-forwarded; merge or squash",
                    ground.branch
                );
                return Err(TreeError::Refused { why });
            }
            (Outcome::Forward, _) => self.tree_of(&ground.session)?,
            (Outcome::Merge(tree), _) => tree,
        };
        let text = if message.trim().is_empty() {
            format!("Land {}", self.names.branch())
        } else {
            message.to_owned()
        };
        let message = self.message(&text, None);
        match method {
            LandMethod::Squash => self.commit(&tree, &[&ground.tip], &message),
            LandMethod::FastForward | LandMethod::Merge | LandMethod::Keep => {
                self.commit(&tree, &[&ground.tip, &ground.session], &message)
            }
        }
    }

    /// A landing that was begun from where the branch still is. One that the user has overtaken is forgotten.
    fn begun(&self, ground: &Ground) -> Result<Option<CommitHash>, TreeError> {
        let [intent, from] = [INTENT, INTENT_FROM].map(|name| self.names.private(name));
        let (Some(result), Some(began)) = (self.resolve(&intent)?, self.resolve(&from)?) else {
            return Ok(None);
        };
        if began == ground.tip {
            return Ok(Some(result));
        }
        self.transact("landing overtaken", &[Move::Delete { name: intent }, Move::Delete { name: from }])?;
        Ok(None)
    }

    /// Writes the files and moves the branch.
    fn apply(&self, ground: &Ground, result: &CommitHash, begun: bool) -> Result<Landed, TreeError> {
        let touched = match &ground.checkout {
            Some(checkout) => Some((checkout, checkout.touched(self, &ground.tip, result.as_str())?)),
            None => None,
        };
        if let Some((_, touched)) = &touched
            && !touched.in_the_way.is_empty()
        {
            let files = touched.in_the_way.iter().map(|path| self.project(path)).collect();
            return Err(TreeError::InTheWay { files });
        }
        let [intent, from, done] = [INTENT, INTENT_FROM, DONE].map(|name| self.names.private(name));
        if !begun {
            let create = |name: &String, to: &CommitHash| Move::Create { name: name.clone(), to: to.clone() };
            self.transact("landing begins", &[create(&intent, result), create(&from, &ground.tip)])?;
        }
        if let Some((checkout, touched)) = &touched {
            checkout.bring_to(&ground.tip, result, &touched.there_already)?;
        }
        let branch = names::head(&ground.branch);
        let moves = [
            Move::Update { name: branch, to: result.clone(), from: ground.tip.clone() },
            Move::Create { name: done, to: result.clone() },
            Move::Delete { name: intent },
            Move::Delete { name: from },
        ];
        self.transact(&format!("land {}", self.names.branch()), &moves)?;
        Ok(Landed { commit: result.clone(), branch: ground.branch.clone() })
    }

    fn count(&self, from: &CommitHash, to: &CommitHash) -> Result<u32, TreeError> {
        let count = self.store().call("rev-list").args(["--count", &format!("{from}..{to}"), "--"]).text()?;
        Ok(count.parse().unwrap_or(u32::MAX))
    }
}
