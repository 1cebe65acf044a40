//! One integration binary: one link, one place to look.

mod journal;
