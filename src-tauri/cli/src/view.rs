//! How a reader looks at what is printed: with or without colours, in which time zone, how many columns wide.

use console::{Style, measure_text_width};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    text::{broken, pad},
    words::Tone,
};

/// A reader's circumstances.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// A terminal, in which lines can be drawn again.
    pub terminal: bool,
    /// Whether colours are wanted.
    pub colour: bool,
    /// For times of day.
    pub zone: TimeZone,
    /// Columns for text that is broken or cut.
    pub columns: usize,
}

impl View {
    /// Of somebody who reads standard output, or standard error when `errors`.
    pub(crate) fn of(errors: bool) -> Self {
        let stream = if errors { console::Term::stderr() } else { console::Term::stdout() };
        let terminal = stream.is_term() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let columns = match stream.size_checked() {
            Some((_, columns)) if terminal => usize::from(columns),
            _ => 100,
        };
        Self { terminal, colour: terminal && !plain, zone: TimeZone::system(), columns }
    }

    /// Columns of the terminal at this moment: windows are resized.
    pub(crate) fn columns_now() -> Option<usize> {
        console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
    }

    /// Lines that may change in place: a block higher than the terminal cannot be drawn again.
    pub(crate) fn rows_now() -> usize {
        console::Term::stdout().size_checked().map_or(24, |(rows, _)| usize::from(rows)).saturating_sub(2)
    }

    /// A text in its tone.
    pub(crate) fn text(&self, tone: Tone, text: &str) -> String {
        let style = Style::new().force_styling(self.colour);
        let style = match tone {
            Tone::Work => style.cyan(),
            Tone::Good => style.green(),
            Tone::Warn => style.yellow(),
            Tone::Bad => style.red().bold(),
            Tone::Dim => style.dim(),
            Tone::Strong => style.bold(),
        };
        style.apply_to(text).to_string()
    }

    /// The time of day.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }
}

/// Columns of a label.
const LABEL: usize = 13;

/// Something that stays on the screen: a line, and what hangs below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// When.
    pub at: Timestamp,
    /// What kind of thing, and which: `review r1`.
    pub label: String,
    /// The label's tone.
    pub tone: Tone,
    /// What happened, coloured.
    pub text: String,
    /// Lines below it, coloured.
    pub more: Vec<String>,
}

impl News {
    /// As lines. In a terminal with the time of day, elsewhere with date and zone, for whoever greps it.
    pub(crate) fn lines(&self, view: &View) -> Vec<String> {
        let time = if view.terminal {
            view.clock(self.at)
        } else {
            self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
        };
        let label = view.text(self.tone, &pad(&self.label, LABEL));
        let width = time.len() + 2 + LABEL + 1;
        let indent = " ".repeat(width);
        // Elsewhere a line is a line, for whoever greps it.
        let room = if view.terminal { view.columns.saturating_sub(width + 1) } else { usize::MAX };
        let mut text = broken(&self.text, room).into_iter();
        let first = text.next().unwrap_or_default();
        let mut lines = vec![format!("{}  {label} {first}", view.text(Tone::Dim, &time))];
        lines.extend(text.map(|line| format!("{indent}{line}")));
        for more in &self.more {
            if measure_text_width(more) <= room {
                lines.push(format!("{indent}{more}"));
                continue;
            }
            let parts = broken(more, room.saturating_sub(2)).into_iter().enumerate();
            lines.extend(
                parts.map(|(place, part)| format!("{indent}{}{part}", if place == 0 { "" } else { "  " })),
            );
        }
        lines
    }
}
