//! Reviews: who judges what, when a round is over, what the policy's decision leads to.

use std::collections::BTreeSet;

use super::{Effect, Next};
use crate::policy::{Facts, Ruling, decide};
use crate::timeline::serde_name;
use crate::{
    About, Action, Actor, AgentName, Asked, Ballot, CheckedFinding, Choice, CommitHash, Decision, Dialect,
    Event, Evidence, Job, NoticeKind, Purpose, Review, ReviewId, ReviewRules, Role, Rule, RunKey, Seat,
    Stage, State, Subject, TaskId, TreeHash, Trigger, Vendor, Vote,
};

impl Next<'_> {
    pub(super) fn gate_head(&mut self, subject: &Subject, trigger: Trigger) {
        let (commit, tree) = (self.state.head.clone(), self.state.head_tree.clone().unwrap_or_default());
        self.request_review(subject.clone(), trigger, true, commit, tree, String::new());
    }

    pub(super) fn request_review(
        &mut self,
        subject: Subject,
        trigger: Trigger,
        gate: bool,
        commit: CommitHash,
        tree: TreeHash,
        about: String,
    ) {
        let id = self.next_review();
        let required = self.required(&subject);
        let round = self.state.course(&subject).map_or(1, |course| course.round + 1);
        let chosen = seats(self.state, &subject, gate, required);
        let seats = chosen.into_iter().map(|(reviewer, vendor, scope)| Seat {
            nonce: self.nonce(),
            reviewer,
            vendor,
            scope,
            workers: Vec::new(),
            ballot: None,
        });
        let seats: Vec<Seat> = seats.collect();
        let wanted = self.state.opened.as_ref().map_or(1, |opened| opened.settings.review.at_end);
        if subject == Subject::Session && 3 <= self.state.vendors().len() && required < wanted {
            let text = format!(
                "only {required} vendor had no hand in the work, so {required} verdict decides at the end"
            );
            self.emit(Event::Warned { text });
        }
        let base = self.base(&subject);
        let review = Review { id, subject, trigger, gate, about, round, tree, commit, base, required, seats };
        self.emit(Event::ReviewRequested { review });
    }

    /// Where the diff under review begins: the last approved tree, else where the work began.
    fn base(&self, subject: &Subject) -> CommitHash {
        let begin =
            || self.state.opened.as_ref().map(|opened| opened.trees.base().clone()).unwrap_or_default();
        match subject {
            Subject::Task { task } => self.state.task(task).map_or_else(begin, |state| {
                state.approved.as_ref().map_or_else(|| state.base.clone(), |(commit, _)| commit.clone())
            }),
            Subject::Validation { .. } | Subject::Session => begin(),
        }
    }

    fn required(&self, subject: &Subject) -> u32 {
        let Some(rules) = self.state.opened.as_ref().map(|opened| &opened.settings.review) else { return 1 };
        match subject {
            Subject::Session if 3 <= self.state.vendors().len() => {
                // A task that was handed over has two vendors behind it: more verdicts than there are judges cannot come.
                let judges = seats(self.state, subject, true, u32::MAX).len();
                rules.at_end.min(u32::try_from(judges).unwrap_or(u32::MAX)).max(1)
            }
            Subject::Session | Subject::Validation { .. } => 1,
            Subject::Task { .. } => {
                let others = u32::try_from(self.state.vendors().len().saturating_sub(1)).unwrap_or(1);
                rules.at_milestone.clamp(1, others.max(1))
            }
        }
    }

    pub(super) fn drive_reviews(&mut self) {
        let open: Vec<ReviewId> = self
            .state
            .reviews
            .iter()
            .filter(|(_, state)| state.decision.is_none())
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            self.drive_review(id);
            if self.state.escalated() {
                return;
            }
        }
    }

    fn drive_review(&mut self, id: ReviewId) {
        let Some(state) = self.state.reviews.get(&id) else { return };
        let open: Vec<Seat> =
            state.review.seats.iter().filter(|seat| seat.ballot.is_none()).cloned().collect();
        if open.is_empty() {
            self.decide_review(id);
            return;
        }
        for seat in open {
            let live =
                seat.workers.iter().any(|id| self.state.workers.get(id).is_some_and(|w| w.end.is_none()));
            let verifying = self.state.pending(
                |job| matches!(job, Job::Verify { review, worker, .. } if *review == id && seat.workers.contains(worker)),
            );
            let parked = self.parked(&RunKey::Seat(id, seat.reviewer.clone()))
                || self.state.gated(&seat.reviewer, self.now.at);
            if !live && !verifying && !parked && !self.state.paused {
                self.request_worker(
                    seat.reviewer,
                    Role::Reviewer,
                    Purpose::Review { review: id },
                    Vec::new(),
                );
            }
        }
    }

    fn decide_review(&mut self, id: ReviewId) {
        let Some(facts) = self.facts(id) else { return };
        let Some(subject) = self.state.reviews.get(&id).map(|state| state.review.subject.clone()) else {
            return;
        };
        let Ruling { action, rule, trace } = decide(&facts);
        let decision = Decision {
            id: self.next_decision(),
            action,
            rule,
            trace: trace.clone(),
            by: Actor::Rule,
            review: Some(id),
            task: subject.task().cloned(),
            worker: None,
        };
        self.emit(Event::Decided { decision });
        match action {
            Action::Continue => {}
            Action::LogWarning => {
                self.emit(Event::Warned { text: format!("review {id}: {}", warning(rule)) })
            }
            Action::PauseAndClarify => {
                let unheard = matches!(rule, Rule::TooFewVerdicts | Rule::ReviewerMissing);
                let (first, title) = if unheard {
                    (Choice::Retry, "Paused: a verdict is missing")
                } else {
                    (Choice::Instruct, "Paused: reviewers have concerns")
                };
                self.ask_about_review(id, first, NoticeKind::Decision, title);
                let frozen: Vec<_> =
                    self.state.live().map(|(id, _)| id).filter(|id| self.state.frozen(*id)).collect();
                self.step.effects.extend(frozen.into_iter().map(Effect::Freeze));
            }
            Action::StopAndEscalate => {
                self.stop_workers(false);
                self.ask_about_review(
                    id,
                    Choice::Instruct,
                    NoticeKind::Blocker,
                    "Stopped: a blocker needs you",
                );
            }
        }
    }

    /// The facts of a review whose seats are all settled. A side review judges the snapshot it was made for; a gating
    /// one must match the tree that is current now.
    fn facts(&self, id: ReviewId) -> Option<Facts> {
        let review = &self.state.reviews.get(&id)?.review;
        let current = match (&review.subject, review.gate) {
            (Subject::Task { task }, true) => {
                self.state.task(task)?.course.snapshot.as_ref().map(|(_, tree)| tree.clone())
            }
            (Subject::Task { .. }, false) => None,
            (Subject::Validation { .. } | Subject::Session, _) => self.state.head_tree.clone(),
        };
        let votes = review.seats.iter().map(|seat| Vote {
            reviewer: seat.reviewer.clone(),
            vendor: seat.vendor,
            ballot: seat.ballot.clone().unwrap_or(Ballot::Void { why: "no answer".to_owned() }),
        });
        let authors = match &review.subject {
            Subject::Task { .. } => self.vendors_of(&self.state.authors(&review.subject)),
            // Seats of these judge only what others made: their scope never holds a task of their own vendor.
            Subject::Validation { .. } | Subject::Session => BTreeSet::new(),
        };
        let rounds_before = self.state.course(&review.subject).map_or(0, |course| course.rounds_before);
        let standard = ReviewRules::default();
        let rules = self.state.opened.as_ref().map_or(&standard, |opened| &opened.settings.review);
        Some(Facts {
            tree: current.unwrap_or_else(|| review.tree.clone()),
            votes: votes.collect(),
            authors,
            required: review.required,
            round: review.round,
            max_rounds: rules.max_rounds + rounds_before,
            single_vendor: self.state.vendors().len() < 2,
            at_one_concern: rules.at_one_concern,
            at_missing_reviewer: rules.at_missing_reviewer,
        })
    }

    fn vendors_of(&self, agents: &[AgentName]) -> BTreeSet<Vendor> {
        agents.iter().filter_map(|agent| self.state.vendor(agent)).collect()
    }

    fn ask_about_review(&mut self, id: ReviewId, first: Choice, kind: NoticeKind, title: &str) {
        let text = self.question_text(id);
        let mut choices = vec![first, Choice::Override, Choice::Abandon];
        if another(self.state, id).is_some() {
            choices.insert(1, Choice::ThirdOpinion);
        }
        self.ask(Asked { text, about: About::Review { review: id }, choices }, kind, title);
    }

    /// The reviewers' points as one text a person can answer.
    fn question_text(&self, id: ReviewId) -> String {
        let Some(state) = self.state.reviews.get(&id) else { return String::new() };
        let what = match &state.review.subject {
            Subject::Task { task } => format!("the work on {task}"),
            Subject::Validation { task } => format!("the merged work ({task})"),
            Subject::Session => "the whole result".to_owned(),
        };
        let mut text = format!("How should {what} go on? (review {id}, round {})", state.review.round);
        // All of them, so that both sides of a contradiction are there; whoever objects first.
        let counted_as = |seat: &&Seat| seat.ballot.as_ref().and_then(Ballot::counted_as);
        let mut seats: Vec<&Seat> = state.review.seats.iter().collect();
        seats.sort_by_key(|seat| std::cmp::Reverse(counted_as(seat)));
        for seat in seats {
            let counted = counted_as(&seat);
            match &seat.ballot {
                Some(Ballot::Cast { verdict, summary, findings, .. }) => {
                    let counted = counted.unwrap_or(*verdict);
                    let (said, counts) = (serde_name(verdict), serde_name(&counted));
                    let but = if said == counts { String::new() } else { format!(", counts as {counts}") };
                    text += &format!("\n{}: {} ({said}{but})", seat.reviewer, summary.trim());
                    text += &findings.iter().map(finding_line).collect::<String>();
                }
                Some(Ballot::Void { why }) => text += &format!("\n{}: no verdict, {why}", seat.reviewer),
                None => {}
            }
        }
        text
    }
}

/// A finding with what became of its evidence, as a line of a question.
fn finding_line(checked: &CheckedFinding) -> String {
    let place = checked.finding.file.as_deref().unwrap_or("no file");
    let line = checked.found_at.map(|line| format!(":{line}")).unwrap_or_default();
    let badge = match (&checked.rerun, checked.evidence) {
        (Some(rerun), _) if !rerun.passed => format!("; `{}` failed again", rerun.command),
        (_, Evidence::Verified) => "; quote verified".to_owned(),
        (Some(rerun), _) => format!("; unverified, `{}` passes", rerun.command),
        (None, Evidence::NotFound) => "; unverified, the quote is not there".to_owned(),
        (None, Evidence::NotCheckable) => "; unverified, nothing to check".to_owned(),
    };
    format!("\n  - {} ({place}{line}{badge})", checked.finding.title)
}

/// Who could judge what a review is about besides those who do: of a vendor without a seat and without a hand in it.
pub(super) fn another(state: &State, review: ReviewId) -> Option<(AgentName, Vendor, Vec<TaskId>)> {
    let review = &state.reviews.get(&review)?.review;
    let seated = |vendor: Vendor| review.seats.iter().any(|seat| seat.vendor == vendor);
    let able = seats(state, &review.subject, review.gate, u32::MAX);
    able.into_iter().find(|(_, vendor, _)| !seated(*vendor))
}

/// Who may sit in a review: one agent for each vendor, each with the tasks it may judge, none of its own vendor's.
fn seats(
    state: &State,
    subject: &Subject,
    gate: bool,
    required: u32,
) -> Vec<(AgentName, Vendor, Vec<TaskId>)> {
    let under: Vec<&crate::TaskState> = match subject {
        Subject::Task { task } => state.task(task).into_iter().collect(),
        Subject::Validation { .. } | Subject::Session => {
            state.makers().filter(|task| task.course.stage == Stage::Accepted).collect()
        }
    };
    let mut found: Vec<(AgentName, Vendor, Vec<TaskId>)> = Vec::new();
    for agent in state.agents() {
        let vendor = agent.dialect.vendor();
        let foreign = |task: &&&crate::TaskState| !state.vendors_of_task(task).contains(&vendor);
        let scope: Vec<TaskId> = under.iter().filter(foreign).map(|task| task.task.id.clone()).collect();
        if !scope.is_empty() && !found.iter().any(|(_, of, _)| *of == vendor) {
            found.push((agent.name.clone(), vendor, scope));
        }
    }
    let author = under.first().map(|task| state.author(task));
    let rank = |(name, _, scope): &(AgentName, Vendor, Vec<TaskId>)| {
        let dialect = state.agent(name).map(|agent| agent.dialect);
        let void_before = was_void(state, subject, name);
        let preferred = match subject {
            Subject::Task { .. } => {
                pair_rank(author.as_ref().and_then(|name| state.agent(name)).map(|a| a.dialect), dialect)
            }
            Subject::Validation { task } => {
                usize::from(state.task(task).is_some_and(|t| state.author(t) != *name))
            }
            Subject::Session => usize::MAX - scope_weight(state, scope),
        };
        (void_before, preferred)
    };
    found.sort_by_key(rank);
    let most = match subject {
        Subject::Validation { .. } => 1,
        Subject::Session => required as usize,
        Subject::Task { .. }
            if gate
                && author
                    .as_ref()
                    .and_then(|a| state.agent(a))
                    .is_some_and(|a| a.dialect != Dialect::Gemini) =>
        {
            2
        }
        Subject::Task { .. } => 1,
    };
    found.truncate(most.max(required as usize));
    found
}

/// How much of the work a scope covers, in percent of the plan; each task counts at least 1.
fn scope_weight(state: &State, scope: &[TaskId]) -> usize {
    scope.iter().filter_map(|id| state.task(id)).map(|task| task.task.weight.max(1) as usize).sum()
}

/// The default pairs (SPEC section 7): gemini and codex judge claude's work, codex judges gemini's.
fn pair_rank(author: Option<Dialect>, reviewer: Option<Dialect>) -> usize {
    let order = match author {
        Some(Dialect::Claude) | None => [Dialect::Gemini, Dialect::Codex, Dialect::Claude],
        Some(Dialect::Gemini) => [Dialect::Codex, Dialect::Claude, Dialect::Gemini],
        Some(Dialect::Codex) => [Dialect::Claude, Dialect::Gemini, Dialect::Codex],
    };
    reviewer.and_then(|dialect| order.iter().position(|of| *of == dialect)).unwrap_or(order.len())
}

/// Whether a reviewer's seat stayed empty in the last review of a subject: others go first then.
fn was_void(state: &State, subject: &Subject, reviewer: &AgentName) -> bool {
    let last = state.reviews.values().rev().find(|review| review.review.subject == *subject);
    last.is_some_and(|review| {
        let mut seats = review.review.seats.iter();
        seats.any(|seat| seat.reviewer == *reviewer && matches!(seat.ballot, Some(Ballot::Void { .. })))
    })
}

fn warning(rule: Rule) -> &'static str {
    match rule {
        Rule::NoIndependentReviewer => "nobody independent could review; the checks alone decided",
        Rule::ReviewerMissing => "all verdicts approve, but a reviewer who was asked gave none",
        Rule::OneConcern
        | Rule::AnyBlocker
        | Rule::TwoConcerns
        | Rule::RoundsExhausted
        | Rule::TooFewVerdicts
        | Rule::AllApproved
        | Rule::Unrepairable
        | Rule::WorkerAsked
        | Rule::Person => "one concern, sent back to the author",
    }
}
