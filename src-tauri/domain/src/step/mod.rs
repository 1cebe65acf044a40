//! What follows from what arrives. A dispatcher: rules live in `policy`, `recovery`, `plan`, `limits` and the files beside this one.

mod drive;
mod end;
mod guard;
mod judge;
mod mend;
mod person;
#[cfg(test)]
pub(crate) mod tests;
mod worker;

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use crate::{
    Actor, AgentEvent, AgentName, Asked, Assignment, Call, DecisionId, Entry, Event, Exit, Failed, Job,
    JobId, JobOutcome, Nonce, Notice, NoticeKind, Opened, ProcessIdentity, Purpose, QuestionId, RecoveryId,
    ReviewId, Role, RunKey, State, Told, UserError, WorkerId,
};

/// Times that a session is taken up after a crash within [`CRASH_WINDOW`] before it is taken up in safe mode.
const MOST_CRASHES: usize = 3;
/// SUPERVISION section 8.
const CRASH_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Anything that can reach a session. A closed list: this is all that can happen to us.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A new session; its first input.
    Open {
        /// Everything it starts from.
        opened: Box<Opened>,
        /// What the preflight warned of.
        warnings: Vec<String>,
    },
    /// A process took the session up again; what is left of its workers follows as `Said` and `Ended`.
    Resume {
        /// What was wrong with its journal, and was mended.
        warnings: Vec<String>,
    },
    /// The user's limits as they are now, after [`Input::Resume`]: one that was reached can be raised.
    Limits(Box<crate::Limits>),
    /// What the self-test of the sandbox came to, right after [`Input::Open`] or [`Input::Resume`].
    Sandbox(Box<crate::SandboxReport>),
    /// All that is left of the last run has been read.
    Ready,
    /// The engine made the process.
    Started {
        /// Which.
        worker: WorkerId,
        /// What identifies it.
        process: ProcessIdentity,
        /// The command line.
        argv: Vec<String>,
    },
    /// A reader read a line.
    Said {
        /// Which.
        worker: WorkerId,
        /// Where the line ends in the raw log.
        offset: u64,
        /// What it means.
        said: AgentEvent,
    },
    /// The worker called a tool of ours.
    Called {
        /// Which.
        worker: WorkerId,
        /// Where the line ends in the file of calls, in bytes.
        offset: u64,
        /// The call's id, for the reply.
        call: String,
        /// What.
        what: Call,
    },
    /// The process is gone, and all it said has been read.
    Ended {
        /// Which.
        worker: WorkerId,
        /// How.
        exit: Exit,
        /// What its stream told.
        told: Box<Told>,
        /// Why it does not count as done.
        failed: Option<Failed>,
    },
    /// A side effect is over.
    Performed {
        /// Which.
        job: JobId,
        /// What came of it.
        outcome: JobOutcome,
    },
    /// A person, or the demo in a person's place, does something.
    Act {
        /// What.
        act: crate::Act,
        /// Who.
        by: Actor,
    },
    /// The system's clock was set, or the machine slept.
    ClockMoved {
        /// By how much the clock is ahead of the time that passed at work, in milliseconds.
        by_ms: i64,
        /// The machine slept.
        slept: bool,
    },
    /// Time has passed.
    Tick,
    /// The program is being closed.
    Close {
        /// Without grace for the workers.
        now: bool,
    },
}

/// Something only the engine can do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make a process for this worker; what for stands in its assignment.
    Spawn(WorkerId),
    /// Take its tree of processes down.
    Stop {
        /// Which.
        worker: WorkerId,
        /// Without grace.
        now: bool,
    },
    /// Freeze its tree of processes.
    Freeze(WorkerId),
    /// Let it go on.
    Thaw(WorkerId),
    /// Perform a side effect; what stands in the job.
    Perform(JobId),
    /// Answer a worker's call.
    Reply {
        /// Which.
        worker: WorkerId,
        /// The call's id.
        call: String,
        /// What the model reads.
        text: String,
        /// Whether it is an error.
        error: bool,
    },
    /// Tell a worker's hook that the user is being asked, so that it goes on waiting.
    Hold {
        /// Which.
        worker: WorkerId,
        /// The call's id.
        call: String,
    },
    /// Tell the desktop.
    Notify(Notice),
    /// A demo session asks; its script answers in the user's place after a while.
    AnswerDemo(QuestionId),
}

/// What a step gives: entries to write down first, then effects to perform.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// Already folded in.
    pub entries: Vec<Entry>,
    /// To be performed once the entries are durable.
    pub effects: Vec<Effect>,
    /// Why what a person asked for was not done.
    pub refused: Option<UserError>,
}

/// What the domain cannot know by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time.
    pub at: Timestamp,
    /// 128 fresh random bits: where nonces come from.
    pub entropy: u128,
}

impl State {
    /// Takes `input` in: folds in what follows, and says what to write and what to do.
    pub fn step(&mut self, now: Now, input: Input) -> Step {
        let mut next = Next { state: self, now, nonces: 0, step: Step::default() };
        next.take(input);
        next.drive();
        next.step
    }
}

/// A step in the making: every event is folded in as soon as it is emitted.
pub(crate) struct Next<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) now: Now,
    nonces: u64,
    pub(crate) step: Step,
}

impl Next<'_> {
    fn take(&mut self, input: Input) {
        match input {
            Input::Open { opened, warnings } => {
                self.emit(Event::SessionOpened { opened });
                for text in warnings {
                    self.emit(Event::Warned { text });
                }
            }
            Input::Resume { warnings } => self.resume(warnings),
            Input::Limits(limits) => {
                let known =
                    self.state.opened.as_ref().is_some_and(|opened| opened.settings.limits == *limits);
                if self.state.resuming && !known {
                    self.emit(Event::LimitsChanged { limits: *limits });
                }
            }
            // A finished session that is only looked at starts nobody.
            Input::Sandbox(report) if self.state.ended.is_none() => {
                self.emit(Event::SandboxTested { report: *report });
            }
            Input::Sandbox(_) => {}
            Input::Ready if self.state.resuming => self.ready(),
            Input::Ready => {}
            Input::Started { worker, process, argv } => {
                self.emit(Event::WorkerStarted { worker, process, argv });
                self.settle_process(worker);
            }
            Input::Said { worker, offset, said } => {
                let command = self.unguarded(worker, &said);
                self.emit(Event::WorkerSaid { worker, offset, said });
                if let Some(wanted) = command {
                    self.has_begun(worker, wanted);
                }
            }
            Input::Called { worker, offset, call, what } => self.called(worker, offset, call, what),
            Input::Ended { worker, exit, told, failed } => self.ended(worker, exit, told, failed),
            Input::Performed { job, outcome } => self.performed(job, outcome),
            Input::Act { act, by } => self.act(act, by),
            Input::ClockMoved { by_ms, slept } => self.emit(Event::ClockMoved { by_ms, slept }),
            Input::Tick => {
                self.expire_cards();
                self.tick();
            }
            Input::Close { now } => self.close(now),
        }
    }

    /// A finished session is only looked at; any other goes on.
    fn resume(&mut self, warnings: Vec<String>) {
        let done = matches!(self.state.ended, Some((crate::Outcome::Done, _)));
        if done {
            self.perform_pending();
            return;
        }
        let crashed = self.state.ended.is_none();
        let safe = self.state.safe_mode || (crashed && self.crash_loop());
        self.emit(Event::SessionResumed { crashed, safe });
        // Whoever takes a session up wants it to go on; a pause outlives neither a stop nor its process.
        if self.state.paused {
            self.emit(Event::Unpaused);
        }
        for text in warnings {
            self.emit(Event::Warned { text });
        }
    }

    fn ready(&mut self) {
        self.emit(Event::SessionReady);
        self.remind();
        if self.state.safe_mode {
            self.ask_to_go_on();
        } else {
            self.perform_pending();
        }
    }

    /// A notification is journalled before it is shown, so a crash in between loses it. For most that is better than
    /// showing it twice; a question that is still open must be heard of, once in each run.
    fn remind(&mut self) {
        let open: Vec<(QuestionId, String)> =
            self.state.open_questions().map(|(id, question)| (id, question.asked.text.clone())).collect();
        let demo = self.state.opened.as_ref().is_some_and(|opened| opened.demo);
        for (question, text) in open {
            if self.state.cut_off {
                self.notify(NoticeKind::Blocker, "Still waits for your answer", &text);
            }
            if demo {
                self.step.effects.push(Effect::AnswerDemo(question));
            }
        }
    }

    /// Taken up after a crash three times in five minutes: the next time something of this session may be what brings us
    /// down (SUPERVISION section 8).
    fn crash_loop(&self) -> bool {
        let recent = |at: &&Timestamp| self.now.at.duration_since(**at) < CRASH_WINDOW;
        MOST_CRASHES <= self.state.crashes.iter().filter(recent).count()
    }

    fn ask_to_go_on(&mut self) {
        if self.state.open_questions().any(|(_, question)| question.asked.about == crate::About::SafeMode) {
            return;
        }
        let text = format!(
            "This session was taken up after a crash {MOST_CRASHES} times in five minutes, so nothing was started this \
             time. Everything is kept. Look at the log for what happened; `retry` lets the session go on."
        );
        let choices = vec![crate::Choice::Retry, crate::Choice::Abandon];
        let asked = Asked { text, about: crate::About::SafeMode, choices };
        self.ask(asked, NoticeKind::Blocker, "The session crashes again and again");
    }

    pub(super) fn perform_pending(&mut self) {
        let pending: Vec<JobId> = self.state.jobs.keys().copied().collect();
        self.step.effects.extend(pending.into_iter().map(Effect::Perform));
    }

    /// A process that came up while the session was being held or stopped is treated like the others.
    fn settle_process(&mut self, worker: WorkerId) {
        if self.state.stopping.is_some() || self.state.escalated() {
            self.step.effects.push(Effect::Stop { worker, now: false });
        } else if self.state.frozen(worker) {
            self.step.effects.push(Effect::Freeze(worker));
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        let entry = Entry { seq: self.state.seq.next(), at: self.now.at, event };
        self.state.apply(&entry);
        self.step.entries.push(entry);
    }

    pub(crate) fn request_job(&mut self, what: Job) {
        let job = JobId(self.state.job_count + 1);
        self.emit(Event::JobRequested { job, what });
        self.step.effects.push(Effect::Perform(job));
    }

    pub(crate) fn request_worker(
        &mut self,
        agent: AgentName,
        role: Role,
        purpose: Purpose,
        notes: Vec<crate::Note>,
    ) {
        let worker = WorkerId(self.state.workers.last_key_value().map_or(1, |(id, _)| id.0 + 1));
        let key = match &purpose {
            Purpose::Plan => RunKey::Plan,
            Purpose::Task { task } => RunKey::Task(task.clone()),
            Purpose::Review { review } => RunKey::Seat(*review, agent.clone()),
        };
        let run = self.state.runs.get(&key).cloned().unwrap_or_default();
        let assignment = Assignment {
            agent,
            role,
            purpose,
            attempt: run.attempts + 1,
            resume: run.session,
            after: run.last,
            notes,
            extra_dirs: run.extra_dirs,
            skip_git_check: run.skip_git_check,
        };
        self.emit(Event::WorkerRequested { worker, assignment });
        self.step.effects.push(Effect::Spawn(worker));
    }

    pub(crate) fn ask(&mut self, asked: Asked, kind: NoticeKind, title: &str) {
        let question = QuestionId(self.state.questions.last_key_value().map_or(1, |(id, _)| id.0 + 1));
        let body = asked.text.clone();
        self.emit(Event::QuestionAsked { question, asked });
        self.notify(kind, title, &body);
        if self.state.opened.as_ref().is_some_and(|opened| opened.demo) {
            self.step.effects.push(Effect::AnswerDemo(question));
        }
    }

    /// Journalled before it is shown, so that a crash never shows it twice.
    pub(crate) fn notify(&mut self, kind: NoticeKind, title: &str, body: &str) {
        let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
        let notice = Notice { kind, title: title.to_owned(), body: crate::head(&line, 200) };
        self.emit(Event::Notified { notice: notice.clone() });
        self.step.effects.push(Effect::Notify(notice));
    }

    /// A secret that nobody can compute from another one: two hashes of 128 bits that leave this process nowhere.
    pub(crate) fn nonce(&mut self) -> Nonce {
        self.nonces += 1;
        let half = |which: u8| {
            let mut hasher = DefaultHasher::new();
            (self.now.entropy, self.state.seq.0, self.nonces, which).hash(&mut hasher);
            hasher.finish()
        };
        Nonce(format!("{:016x}{:016x}", half(0), half(1)))
    }

    pub(crate) fn next_review(&self) -> ReviewId {
        ReviewId(self.state.reviews.last_key_value().map_or(1, |(id, _)| id.0 + 1))
    }

    pub(crate) fn next_decision(&self) -> DecisionId {
        DecisionId(self.state.decisions.last_key_value().map_or(1, |(id, _)| id.0 + 1))
    }

    pub(crate) fn next_recovery(&self) -> RecoveryId {
        RecoveryId(self.state.recoveries.last_key_value().map_or(1, |(id, _)| id.0 + 1))
    }
}
