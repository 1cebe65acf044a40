//! What each reviewer's verdicts were worth: a fold over journals, so it can be made again from them at any time.
//!
//! A finding is *confirmed by a fix* when it went to the author as work, the author made another tree of it, and whoever
//! raised it (or, without a seat any more, the rule) approved that tree. It is *overridden* when a person let the work go
//! on in spite of it, with a reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Action, Actor, AgentName, Ballot, Decision, Entry, Event, Evidence, Review, ReviewId, Rule, SessionId,
    Severity, Subject, TreeHash, Vendor, Verdict,
};

/// All reviewers of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Scoreboard {
    /// Sessions that were read.
    pub sessions: u32,
    /// How many of them are demonstrations, or were played by scripted agents that say so.
    pub demos: u32,
    /// Sessions of which only a part, or nothing, could be read.
    pub unreadable: Vec<SessionId>,
    /// One for each reviewer, by its agent's name.
    pub reviewers: Vec<Score>,
    /// Blockers that a person overrode, oldest first.
    pub overridden: Vec<Overridden>,
}

/// One reviewer's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Score {
    /// Who.
    pub reviewer: AgentName,
    /// Whose model.
    pub vendor: Vendor,
    /// Seats it had.
    pub seats: u32,
    /// Seats that ended without a verdict.
    pub void: u32,
    /// Verdicts as given.
    pub approve: u32,
    /// Verdicts as given.
    pub concern: u32,
    /// Verdicts as given.
    pub blocker: u32,
    /// Blockers that counted as concerns, because no evidence of them could be verified.
    pub weakened: u32,
    /// Findings that are concerns or blockers.
    pub findings: u32,
    /// Of these: with a quote that was found, or a check that failed again.
    pub verified: u32,
    /// Of these: with a quote or file that is not there.
    pub not_found: u32,
    /// Of these: with nothing to check.
    pub not_checkable: u32,
    /// Of these: later confirmed by a fix.
    pub confirmed: u32,
    /// Blockers of it that a person overrode.
    pub overridden: u32,
}

/// A blocker that a person overrode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Overridden {
    /// In which session.
    pub session: SessionId,
    /// In which review.
    pub review: ReviewId,
    /// Whose blocker.
    pub reviewer: AgentName,
    /// What it was about.
    pub title: String,
    /// The person's reason.
    pub reason: String,
}

/// The scores of one session in the making; give it the entries in their order.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    session: SessionId,
    demo: bool,
    reviews: BTreeMap<ReviewId, Review>,
    scores: BTreeMap<AgentName, Score>,
    overridden: Vec<Overridden>,
    /// Findings that are with the author: subject, tree they are about, who raised how many.
    sent_back: Vec<SentBack>,
}

#[derive(Clone, Debug)]
struct SentBack {
    subject: Subject,
    tree: TreeHash,
    reviewer: AgentName,
    findings: u32,
}

impl Fold {
    /// Takes one entry in.
    pub fn take(&mut self, entry: &Entry) {
        if let Event::SessionOpened { opened } = &entry.event {
            self.session = opened.session.clone();
            self.demo = opened.demo || opened.agents.iter().any(|agent| agent.demo);
        } else if let Event::ReviewRequested { review } = &entry.event {
            self.reviews.insert(review.id, review.clone());
        } else if let Event::SeatGiven { review, from, seat } = &entry.event {
            let seats = self.reviews.get_mut(review).map(|review| review.seats.iter_mut());
            if let Some(had) = seats.and_then(|mut seats| seats.find(|had| had.reviewer == *from)) {
                *had = seat.clone();
            }
        } else if let Event::SeatAdded { review, seat } = &entry.event {
            if let Some(review) = self.reviews.get_mut(review) {
                review.seats.push(seat.clone());
            }
        } else if let Event::BallotCounted { review, reviewer, ballot } = &entry.event {
            self.counted(*review, reviewer, ballot);
        } else if let Event::Decided { decision } = &entry.event {
            self.decided(decision);
        }
    }

    fn counted(&mut self, review: ReviewId, reviewer: &AgentName, ballot: &Ballot) {
        let Some(review) = self.reviews.get_mut(&review) else { return };
        let Some(seat) = review.seats.iter_mut().find(|seat| seat.reviewer == *reviewer) else { return };
        let first = seat.ballot.is_none();
        seat.ballot = Some(ballot.clone());
        let vendor = seat.vendor;
        if first {
            let score = self.scores.entry(reviewer.clone()).or_insert_with(|| Score::of(reviewer, vendor));
            score.count(ballot);
        }
    }

    fn decided(&mut self, decision: &Decision) {
        let Some(review) = decision.review.and_then(|id| self.reviews.get(&id)).cloned() else { return };
        if decision.by != Actor::Rule && decision.rule == Rule::Person {
            self.override_of(&review, decision);
            return;
        }
        match decision.action {
            // Whoever approves another tree than the one it objected to confirms that it was mended.
            Action::Continue => self.settle(&review),
            Action::LogWarning | Action::PauseAndClarify | Action::StopAndEscalate => {
                self.settle(&review);
                self.send_back(&review);
            }
        }
    }

    /// Findings on earlier trees of the same subject: confirmed by those who raised them and now approve.
    fn settle(&mut self, review: &Review) {
        let by_rule = review.seats.iter().all(|seat| approves(seat.ballot.as_ref()));
        let mut kept = Vec::new();
        for sent in std::mem::take(&mut self.sent_back) {
            let same = sent.subject == review.subject && sent.tree != review.tree;
            let own = review.seats.iter().find(|seat| seat.reviewer == sent.reviewer);
            let approved = match own {
                Some(seat) => approves(seat.ballot.as_ref()),
                None => by_rule && !review.seats.is_empty(),
            };
            match self.scores.get_mut(&sent.reviewer).filter(|_| same && approved) {
                Some(score) => score.confirmed += sent.findings,
                None => kept.push(sent),
            }
        }
        self.sent_back = kept;
    }

    fn send_back(&mut self, review: &Review) {
        for seat in &review.seats {
            let Some(ballot) = &seat.ballot else { continue };
            let findings = count(objections(ballot).filter(|checked| checked.proven()).count());
            if findings == 0 {
                continue;
            }
            // Said again of a newer tree: the older saying is replaced, so that one fix confirms it once.
            let (subject, reviewer) = (&review.subject, &seat.reviewer);
            self.sent_back.retain(|sent| sent.subject != *subject || sent.reviewer != *reviewer);
            let (subject, reviewer) = (subject.clone(), reviewer.clone());
            self.sent_back.push(SentBack { subject, tree: review.tree.clone(), reviewer, findings });
        }
    }

    fn override_of(&mut self, review: &Review, decision: &Decision) {
        let reason = decision.trace.join(" ");
        let reason = reason.strip_prefix("overridden by the user; reason: ").unwrap_or(&reason).to_owned();
        for seat in &review.seats {
            let Some(ballot) = &seat.ballot else { continue };
            if ballot.counted_as() != Some(Verdict::Blocker) {
                continue;
            }
            if let Some(score) = self.scores.get_mut(&seat.reviewer) {
                score.overridden += 1;
            }
            let worst = objections(ballot).max_by_key(|checked| checked.finding.severity);
            self.overridden.push(Overridden {
                session: self.session.clone(),
                review: review.id,
                reviewer: seat.reviewer.clone(),
                title: worst.map(|checked| checked.finding.title.clone()).unwrap_or_default(),
                reason: reason.clone(),
            });
        }
        self.sent_back.retain(|sent| sent.subject != review.subject);
    }
}

impl Scoreboard {
    /// Adds a session.
    pub fn add(&mut self, fold: Fold) {
        self.sessions += 1;
        self.demos += u32::from(fold.demo);
        for (name, score) in fold.scores {
            match self.reviewers.iter_mut().find(|known| known.reviewer == name) {
                Some(known) => known.add(&score),
                None => self.reviewers.push(score),
            }
        }
        self.reviewers.sort_by(|a, b| a.reviewer.cmp(&b.reviewer));
        self.overridden.extend(fold.overridden);
    }

    /// The scores of one session's entries.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut fold = Fold::default();
        entries.iter().for_each(|entry| fold.take(entry));
        let mut board = Self::default();
        board.add(fold);
        board
    }
}

impl Score {
    fn of(reviewer: &AgentName, vendor: Vendor) -> Self {
        Self {
            reviewer: reviewer.clone(),
            vendor,
            seats: 0,
            void: 0,
            approve: 0,
            concern: 0,
            blocker: 0,
            weakened: 0,
            findings: 0,
            verified: 0,
            not_found: 0,
            not_checkable: 0,
            confirmed: 0,
            overridden: 0,
        }
    }

    fn count(&mut self, ballot: &Ballot) {
        self.seats += 1;
        let Ballot::Cast { verdict, .. } = ballot else {
            self.void += 1;
            return;
        };
        match verdict {
            Verdict::Approve => self.approve += 1,
            Verdict::Concern => self.concern += 1,
            Verdict::Blocker => self.blocker += 1,
        }
        self.weakened += u32::from(ballot.counted_as().is_some_and(|counted| counted < *verdict));
        for checked in objections(ballot) {
            self.findings += 1;
            match checked.evidence {
                _ if checked.proven() => self.verified += 1,
                Evidence::Verified => {} // proven, above
                Evidence::NotFound => self.not_found += 1,
                Evidence::NotCheckable => self.not_checkable += 1,
            }
        }
    }

    fn add(&mut self, more: &Self) {
        let pairs = [
            (&mut self.seats, more.seats),
            (&mut self.void, more.void),
            (&mut self.approve, more.approve),
            (&mut self.concern, more.concern),
            (&mut self.blocker, more.blocker),
            (&mut self.weakened, more.weakened),
            (&mut self.findings, more.findings),
            (&mut self.verified, more.verified),
            (&mut self.not_found, more.not_found),
            (&mut self.not_checkable, more.not_checkable),
            (&mut self.confirmed, more.confirmed),
            (&mut self.overridden, more.overridden),
        ];
        for (own, more) in pairs {
            *own += more;
        }
    }
}

/// A ballot's concerns and blockers.
fn objections(ballot: &Ballot) -> impl Iterator<Item = &crate::CheckedFinding> {
    let findings = match ballot {
        Ballot::Cast { findings, .. } => &findings[..],
        Ballot::Void { .. } => &[],
    };
    findings.iter().filter(|checked| Severity::Concern <= checked.finding.severity)
}

fn approves(ballot: Option<&Ballot>) -> bool {
    ballot.and_then(Ballot::counted_as) == Some(Verdict::Approve)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
