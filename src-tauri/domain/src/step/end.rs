//! Limits, stops, and the ends they lead to.

use super::{Effect, Next};
use crate::*;

impl Next<'_> {
    pub(super) fn limits(&mut self) {
        if self.state.stopping.is_some() {
            return;
        }
        for (limit, used) in limits::used(self.state, self.now.at) {
            let whole = limits::whole(self.state, limit);
            if 100.0 <= used {
                let text = format!("The session's limit of {whole} is reached.");
                self.emit(Event::StopRequested { now: false, reason: StopReason::Limit, text: text.clone() });
                self.stop_workers(false);
                self.notify(NoticeKind::Blocker, "A limit is reached", &text);
                return;
            }
            if limits::NOTICE_PERCENT <= used && !self.state.limits_warned.contains(limit) {
                self.emit(Event::LimitWarned { limit: limit.to_owned() });
                self.emit(Event::Warned { text: format!("{used:.0} % of the session's {whole} are used") });
            }
        }
        let live: Vec<WorkerId> = self.state.live().map(|(id, _)| id).collect();
        live.into_iter().for_each(|worker| self.limits_of(worker));
    }

    /// A worker's own limits. Its guardian watches the wall time, which a silent worker crosses as well.
    fn limits_of(&mut self, worker: WorkerId) {
        let Some(state) = self.state.workers.get(&worker).filter(|state| state.limited.is_none()) else {
            return;
        };
        let warned = state.limits_warned.clone();
        for used in limits::used_by(self.state, state, self.now.at) {
            let (percent, limit) = (used.percent(), used.limit.to_owned());
            if 100.0 <= percent && used.limit != "worker_minutes" {
                let text = format!("{limit}: {} of {}", rounded(used.used), rounded(used.cap));
                self.emit(Event::WorkerLimited { worker, limit, text });
                self.step.effects.push(Effect::Stop { worker, now: false });
                return;
            }
            if limits::NOTICE_PERCENT <= percent && !warned.contains(used.limit) {
                let text = format!("{worker} has used {percent:.0} % of the limit {limit}");
                self.emit(Event::WorkerLimitWarned { worker, limit });
                self.emit(Event::Warned { text });
            }
        }
    }

    pub(super) fn finish_stop(&mut self, reason: StopReason) {
        if self.state.live().next().is_some() || !self.state.jobs.is_empty() {
            return;
        }
        let limit = format!(
            "{} Everything is kept; raise it below [limits] in the settings, then resume.",
            self.state.stop_text
        );
        let (outcome, why) = match reason {
            StopReason::Person => (Outcome::Stopped, "Stopped by you; `resume` goes on where it was."),
            StopReason::Limit => (Outcome::Limited, limit.as_str()),
            StopReason::Abandoned => (Outcome::Failed, "Given up by you; everything is kept."),
            StopReason::Closing if self.state.open_questions().next().is_some() => {
                (Outcome::Waiting, "Waits for your answer.")
            }
            StopReason::Closing => {
                (Outcome::Stopped, "The program was closed; `resume` goes on where it was.")
            }
        };
        self.end(outcome, why);
    }

    pub(super) fn end(&mut self, outcome: Outcome, why: &str) {
        self.emit(Event::SessionEnded { outcome, why: why.to_owned() });
        if outcome != Outcome::Waiting {
            let goal =
                self.state.opened.as_ref().map(|opened| crate::head(&opened.goal, 80)).unwrap_or_default();
            let title = match outcome {
                Outcome::Done => "Done and checked",
                Outcome::Stopped => "Stopped",
                Outcome::Limited => "Ended at a limit",
                Outcome::Failed | Outcome::Waiting => "Ended",
            };
            self.notify(NoticeKind::Done, title, &format!("{goal}: {why}"));
        }
    }

    pub(super) fn stop_workers(&mut self, now: bool) {
        let live: Vec<WorkerId> = self.state.live().map(|(id, _)| id).collect();
        self.step.effects.extend(live.into_iter().map(|worker| Effect::Stop { worker, now }));
    }

    pub(super) fn close(&mut self, now: bool) {
        if self.state.ended.is_some() || self.state.opened.is_none() {
            return;
        }
        if self.state.stopping.is_none() {
            let text = "The program is being closed.".to_owned();
            self.emit(Event::StopRequested { now, reason: StopReason::Closing, text });
        }
        self.stop_workers(now);
    }
}

/// A number as people write it: whole where it is large, with cents where it is money.
fn rounded(value: f64) -> String {
    if value.fract() == 0.0 || 1000.0 <= value { format!("{value:.0}") } else { format!("{value:.2}") }
}
