//! What was found in merged work becomes work again.

use super::Next;
use crate::*;

impl Next<'_> {
    /// What is merged gets checked and judged; what was found about it before is mended first, as a task of its own.
    pub(super) fn judge_or_mend(&mut self, subject: &Subject) {
        let Some(course) = self.state.course(subject) else { return };
        if let Some(task) = subject.task()
            && self.state.task(task).is_some_and(|state| !self.ready_to_start(&state.task))
        {
            return;
        }
        if course.notes.is_empty() {
            let head = self.state.head.clone();
            self.check(subject, Some(head));
            return;
        }
        let most = self.state.opened.as_ref().map_or(3, |opened| opened.settings.review.max_rounds);
        if most <= course.check_rounds
            && let Some(job) = course.last_check
        {
            self.ask_about_checks(subject, job);
            return;
        }
        let (notes, before) = (course.notes.clone(), subject.task().cloned().into_iter().collect());
        if let Some(task) = self.mending_task(&notes) {
            self.emit(Event::TaskAdded { task, notes, before });
        }
    }

    fn ask_about_checks(&mut self, subject: &Subject, job: JobId) {
        let checks =
            self.state.course(subject).map(|course| failed_checks(&course.notes)).unwrap_or_default();
        let text = format!("The project's checks still fail after the last round.{checks}");
        let about = About::Job { job, subject: Some(subject.clone()) };
        let choices = vec![Choice::Instruct, Choice::Retry, Choice::Abandon];
        self.ask(Asked { text, about, choices }, NoticeKind::Blocker, "Checks fail");
    }

    /// A task for the author of what was found wrong; the last implementer's when no file tells.
    fn mending_task(&self, notes: &[Note]) -> Option<Task> {
        let author = self.author_of(notes)?;
        let count = self.state.tasks.iter().filter(|state| state.task.id.0.starts_with("mend-")).count();
        let checks = self.state.checks_of(&Subject::Session);
        Some(Task {
            id: TaskId(format!("mend-{}", count + 1)),
            title: "Mend what was found in the merged work".to_owned(),
            role: author.task.role,
            agent: self.state.author(author),
            weight: 0,
            instructions: "Mend what was found in the work that is already merged. Nothing else.".to_owned(),
            depends_on: Vec::new(),
            acceptance: checks,
            milestones: Vec::new(),
            writes: true,
        })
    }

    fn author_of(&self, notes: &[Note]) -> Option<&TaskState> {
        let files = notes.iter().flat_map(|note| match note {
            Note::Findings { findings, .. } => {
                findings.iter().filter_map(|checked| checked.finding.file.clone()).collect::<Vec<_>>()
            }
            Note::Checks { .. }
            | Note::Conflict { .. }
            | Note::NothingChanged
            | Note::SaidChanged { .. }
            | Note::Message { .. } => Vec::new(),
        });
        let files: Vec<String> = files.collect();
        let touched = |state: &&TaskState| state.changed.iter().any(|file| files.contains(file));
        let makers: Vec<&TaskState> = self.state.makers().collect();
        let implementer = |state: &&&TaskState| state.task.role == Role::Implementer;
        makers
            .iter()
            .rev()
            .find(|state| touched(state))
            .or_else(|| makers.iter().rev().find(implementer))
            .or(makers.last())
            .copied()
    }
}

/// The output of failed checks, for a question.
pub(super) fn failed_checks(notes: &[Note]) -> String {
    let mut text = String::new();
    for note in notes {
        if let Note::Checks { failed } = note {
            for result in failed {
                let what = match &result.check {
                    crate::Check::File { path } => format!("file {path}"),
                    crate::Check::Command { run } => run.clone(),
                };
                text += &format!("\n{what}: {}", crate::tail(result.output.trim(), 300));
            }
        }
    }
    text
}
