//! The plan: what a prompt is broken down into, and when such a breakdown is refused.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentInfo, AgentName, Role, TaskId};

/// Most tasks of one plan (SPEC section 6).
pub const MOST_TASKS: usize = 24;
/// How far the weights may be from adding up to 100 (SPEC section 6).
pub const WEIGHT_SLACK: u32 = 5;

/// The breakdown of the user's prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What will be done, in a few sentences.
    pub summary: String,
    /// The tasks; order matters only where nothing depends on anything.
    pub tasks: Vec<Task>,
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Unique in the plan: lower-case letters, digits and `-`, at most 32.
    pub id: TaskId,
    /// One line.
    pub title: String,
    /// `architect` writes documents, `implementer` code and tests, `reviewer` judges what its dependencies made and writes nothing.
    pub role: Role,
    /// Who does it.
    pub agent: AgentName,
    /// Share of the whole work in percent; all weights add up to 100.
    pub weight: u32,
    /// What to do, complete enough for somebody who saw nothing else.
    pub instructions: String,
    /// Tasks that must be accepted before this one starts.
    #[serde(default)]
    pub depends_on: Vec<TaskId>,
    /// What must hold before the task can be accepted.
    #[serde(default)]
    pub acceptance: Vec<Check>,
    /// What the worker announces on the way; each announcement triggers a review.
    #[serde(default)]
    pub milestones: Vec<String>,
    /// Whether it changes the project's files.
    #[serde(default = "yes")]
    pub writes: bool,
}

fn yes() -> bool {
    true
}

/// Something that can be checked by a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Check {
    /// A file exists and is not empty.
    File {
        /// Relative to the project's root.
        path: String,
    },
    /// A command exits with 0 in the project's root.
    Command {
        /// Run by `sh -c`.
        run: String,
    },
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CheckResult {
    /// What was checked.
    pub check: Check,
    /// Whether it holds.
    pub passed: bool,
    /// Exit status of a command; `None` for files, signals and time-outs.
    pub exit_code: Option<i32>,
    /// End of what a command printed, at most 4,000 characters; or why it could not run.
    pub output: String,
}

/// Why a plan is refused. Each names the fault so that the planner can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not JSON of the plan's shape.
    #[error("the plan cannot be read: {0}")]
    Unreadable(String),
    /// No tasks.
    #[error("the plan has no task")]
    Empty,
    /// More than [`MOST_TASKS`].
    #[error("the plan has {0} tasks; the most is {MOST_TASKS}")]
    TooMany(usize),
    /// An id that is empty, too long or of other characters.
    #[error("task id {0:?} is not made of 1 to 32 lower-case letters, digits and '-'")]
    BadId(TaskId),
    /// Two tasks with one id.
    #[error("two tasks have the id {0:?}")]
    Twice(TaskId),
    /// A dependency that is no task.
    #[error("task {task:?} depends on {on:?}, which is no task of the plan")]
    UnknownDependency {
        /// The task.
        task: TaskId,
        /// What it names.
        on: TaskId,
    },
    /// A circle of dependencies.
    #[error("the tasks {0} depend on each other in a circle")]
    Cycle(String),
    /// An agent that is not there.
    #[error("task {task:?} is for the agent {agent:?}; there are only {there}")]
    UnknownAgent {
        /// The task.
        task: TaskId,
        /// Whom it names.
        agent: AgentName,
        /// Who is there.
        there: String,
    },
    /// A role that does no tasks.
    #[error("task {0:?} has the role lead; tasks are for architect, implementer or reviewer")]
    LeadTask(TaskId),
    /// Nobody would change anything.
    #[error("no task writes; at least one architect or implementer is needed")]
    NobodyWrites,
    /// A reviewing task with nothing to review.
    #[error(
        "task {0:?} writes nothing and depends on no task that writes; a reviewer judges what its dependencies made"
    )]
    JudgesNothing(TaskId),
    /// Weights that do not add up.
    #[error("the weights add up to {0}; they must add up to 100, give or take {WEIGHT_SLACK}")]
    Weights(u32),
    /// A review of one's own work.
    #[error("task {task:?} has {agent:?} review its own work of {of:?}")]
    SelfReview {
        /// The reviewing task.
        task: TaskId,
        /// Who would review itself.
        agent: AgentName,
        /// The task whose author it is.
        of: TaskId,
    },
    /// An empty title or empty instructions.
    #[error("task {0:?} has no title or no instructions")]
    Blank(TaskId),
    /// A path that leaves the project.
    #[error("task {task:?} checks for {path:?}, which is not inside the project")]
    OutsidePath {
        /// The task.
        task: TaskId,
        /// The path.
        path: String,
    },
}

impl Plan {
    /// The plan's JSON schema, for planners and editors.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Plan).to_value()
    }

    /// Reads a planner's answer: the JSON itself, or text with one fenced JSON block.
    ///
    /// # Errors
    /// [`PlanError::Unreadable`] when there is no such JSON; else what [`Plan::validate`] says.
    pub fn read(text: &str, agents: &[AgentInfo]) -> Result<Self, PlanError> {
        let json = crate::fenced_json(text)
            .ok_or_else(|| PlanError::Unreadable("no JSON object in the answer".to_owned()))?;
        let plan: Self =
            serde_json::from_str(json).map_err(|fault| PlanError::Unreadable(fault.to_string()))?;
        plan.validate(agents)?;
        Ok(plan)
    }

    /// Refuses what cannot be worked on (SPEC section 6).
    ///
    /// # Errors
    /// The first fault, in the order of [`PlanError`].
    pub fn validate(&self, agents: &[AgentInfo]) -> Result<(), PlanError> {
        if self.tasks.is_empty() {
            return Err(PlanError::Empty);
        }
        if MOST_TASKS < self.tasks.len() {
            return Err(PlanError::TooMany(self.tasks.len()));
        }
        self.check_ids()?;
        self.check_graph()?;
        self.check_tasks(agents)?;
        let sum = self.tasks.iter().map(|task| task.weight).fold(0, u32::saturating_add);
        if WEIGHT_SLACK < sum.abs_diff(100) {
            return Err(PlanError::Weights(sum));
        }
        self.check_reviewers(agents)
    }

    fn check_ids(&self) -> Result<(), PlanError> {
        let mut seen = BTreeSet::new();
        for Task { id, .. } in &self.tasks {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if id.0.is_empty() || 32 < id.0.len() || !id.0.chars().all(good) || id.0.starts_with('-') {
                return Err(PlanError::BadId(id.clone()));
            }
            if !seen.insert(id) {
                return Err(PlanError::Twice(id.clone()));
            }
        }
        Ok(())
    }

    fn check_graph(&self) -> Result<(), PlanError> {
        for task in &self.tasks {
            if let Some(on) = task.depends_on.iter().find(|on| self.task(on).is_none()) {
                let (task, on) = (task.id.clone(), on.clone());
                return Err(PlanError::UnknownDependency { task, on });
            }
        }
        // What can never become ready, because it waits for something that can never become ready.
        let mut open: BTreeSet<&TaskId> = self.tasks.iter().map(|task| &task.id).collect();
        loop {
            let free: Vec<&TaskId> = (self.tasks.iter())
                .filter(|task| open.contains(&task.id))
                .filter(|task| !task.depends_on.iter().any(|on| open.contains(on)))
                .map(|task| &task.id)
                .collect();
            if free.is_empty() {
                break;
            }
            for id in free {
                open.remove(id);
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = open.into_iter().map(TaskId::as_str).collect();
        Err(PlanError::Cycle(names.join(", ")))
    }

    fn check_tasks(&self, agents: &[AgentInfo]) -> Result<(), PlanError> {
        for task in &self.tasks {
            if task.title.trim().is_empty() || task.instructions.trim().is_empty() {
                return Err(PlanError::Blank(task.id.clone()));
            }
            if task.role == Role::Lead {
                return Err(PlanError::LeadTask(task.id.clone()));
            }
            if !agents.iter().any(|agent| agent.name == task.agent) {
                let there: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
                return Err(PlanError::UnknownAgent {
                    task: task.id.clone(),
                    agent: task.agent.clone(),
                    there: there.join(", "),
                });
            }
            for check in &task.acceptance {
                if let Check::File { path } = check
                    && (path.starts_with(['/', '\\', '~'])
                        || path.split(['/', '\\']).any(|part| part == ".."))
                {
                    let (task, path) = (task.id.clone(), path.clone());
                    return Err(PlanError::OutsidePath { task, path });
                }
            }
        }
        if !self.tasks.iter().any(Task::makes) {
            return Err(PlanError::NobodyWrites);
        }
        let judges_nothing = |task: &&Task| {
            !task.makes() && !task.depends_on.iter().filter_map(|on| self.task(on)).any(Task::makes)
        };
        if let Some(task) = self.tasks.iter().find(judges_nothing) {
            return Err(PlanError::JudgesNothing(task.id.clone()));
        }
        Ok(())
    }

    /// No agent judges a task of its own vendor, as long as another vendor is there.
    fn check_reviewers(&self, agents: &[AgentInfo]) -> Result<(), PlanError> {
        let vendor: BTreeMap<_, _> =
            agents.iter().map(|agent| (&agent.name, agent.dialect.vendor())).collect();
        let alone = vendor.values().collect::<BTreeSet<_>>().len() < 2;
        for task in self.tasks.iter().filter(|task| !task.makes() && !alone) {
            for of in task.depends_on.iter().filter_map(|on| self.task(on)) {
                if of.makes() && vendor.get(&of.agent) == vendor.get(&task.agent) {
                    return Err(PlanError::SelfReview {
                        task: task.id.clone(),
                        agent: task.agent.clone(),
                        of: of.id.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// A task by its id.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == *id)
    }
}

impl Task {
    /// Whether it makes something; what does not is a judgement (a validation).
    #[must_use]
    pub fn makes(&self) -> bool {
        self.writes && self.role != Role::Reviewer
    }
}

impl Plan {
    /// The plan used when the lead is missing or answers badly twice: architecture, implementation, validation
    /// (SPEC section 3). Roles go to the agents that suit them best among those that are there.
    #[must_use]
    pub fn built_in(goal: &str, agents: &[AgentInfo], checks: &[String]) -> Self {
        use crate::Dialect::{Claude, Codex, Gemini};
        let first = |wanted: &[crate::Dialect]| {
            let found =
                wanted.iter().find_map(|dialect| agents.iter().find(|agent| agent.dialect == *dialect));
            found.map(|agent| (agent.name.clone(), agent.dialect.vendor()))
        };
        let (architect, designs) =
            first(&[Gemini, Claude, Codex]).unwrap_or((AgentName::default(), crate::Vendor::Google));
        let (implementer, builds) = first(&[Claude, Codex, Gemini]).unwrap_or((architect.clone(), designs));
        let judge = [Codex, Claude, Gemini].into_iter().filter(|dialect| dialect.vendor() != builds);
        let judge = first(&judge.collect::<Vec<_>>()).map(|(name, _)| name);
        let task = |id: &str, title: &str, role, agent: &AgentName, weight, what: &str, on: &[&str]| Task {
            id: id.into(),
            title: title.to_owned(),
            role,
            agent: agent.clone(),
            weight,
            instructions: format!("{what}\n\nThe user's prompt:\n{goal}"),
            depends_on: on.iter().map(|id| TaskId::from(*id)).collect(),
            acceptance: Vec::new(),
            milestones: Vec::new(),
            writes: role != Role::Reviewer,
        };
        let rest = if judge.is_some() { 0 } else { 15 };
        let mut design = task(
            "architecture",
            "Design",
            Role::Architect,
            &architect,
            40 + rest,
            "Read the project and write ARCHITECTURE_SPEC.md: what is to be built, in which files, with which interfaces and tests. Write no code.",
            &[],
        );
        design.acceptance = vec![Check::File { path: "ARCHITECTURE_SPEC.md".to_owned() }];
        let mut build = task(
            "implementation",
            "Implementation and tests",
            Role::Implementer,
            &implementer,
            45,
            "Implement what ARCHITECTURE_SPEC.md describes, with tests. Keep to the project's own style.",
            &["architecture"],
        );
        build.acceptance = checks.iter().map(|run| Check::Command { run: run.clone() }).collect();
        build.milestones = vec!["implementation and tests are complete".to_owned()];
        let mut tasks = vec![design, build];
        // The judge must not have made what it judges; with two vendors that holds for what the other one built.
        if let Some(judge) = judge {
            tasks.push(task(
                "validation",
                "Validation",
                Role::Reviewer,
                &judge,
                15,
                "Validate the merged result against the user's prompt and ARCHITECTURE_SPEC.md.",
                &["implementation"],
            ));
        }
        Self { summary: "The built-in plan: design, implementation, validation.".to_owned(), tasks }
    }
}

#[cfg(test)]
mod tests;
