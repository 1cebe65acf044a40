//! Standard output as lines that stay and a block below them that is drawn again in place.

use std::io::{self, Write};

use console::measure_text_width;

use crate::view::View;

/// Where lines go. In a terminal a frame is one write between the marks of a synchronised update, and each line is
/// overwritten before it is cleared to its end: nothing flickers.
pub(crate) struct Screen<W: Write> {
    to: W,
    /// How the reader looks at it.
    pub view: View,
    /// Columns of each line of the block that is on the screen.
    drawn: Vec<usize>,
    last: Vec<String>,
}

const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

impl<W: Write> Screen<W> {
    /// An empty screen.
    pub(crate) fn new(to: W, view: View) -> Self {
        Self { to, view, drawn: Vec::new(), last: Vec::new() }
    }

    /// Prints lines that stay, and below them the block. Not in a terminal the block is left out.
    ///
    /// # Errors
    /// When the reader has gone away.
    pub(crate) fn show(&mut self, stay: &[String], block: Vec<String>) -> io::Result<()> {
        if !self.view.terminal {
            for line in stay {
                writeln!(self.to, "{line}")?;
            }
            return self.to.flush();
        }
        if stay.is_empty() && block == self.last {
            return Ok(());
        }
        let mut frame = String::from(BEGIN);
        frame += &self.to_top();
        for line in stay.iter().chain(&block) {
            frame += line;
            frame += CLEAR_LINE;
            frame += "\r\n";
        }
        frame += CLEAR_BELOW;
        frame += END;
        self.drawn = block.iter().map(|line| measure_text_width(line)).collect();
        self.last = block;
        self.to.write_all(frame.as_bytes())?;
        self.to.flush()
    }

    /// Prints a text at which a person types; the block is gone until the next [`Self::show`].
    ///
    /// # Errors
    /// When the reader has gone away.
    pub(crate) fn prompt(&mut self, stay: &[String], prompt: &str) -> io::Result<()> {
        self.show(stay, Vec::new())?;
        self.to.write_all(prompt.as_bytes())?;
        self.to.flush()
    }

    /// Back to the first line of the block. A window made narrower since then has broken its lines.
    fn to_top(&self) -> String {
        let columns = self.view.columns.max(1);
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\r\u{1b}[{rows}A") }
    }
}
