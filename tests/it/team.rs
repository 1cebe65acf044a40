//! Sessions of the real program; the recipes of `chaos` use the same.

pub(crate) use acceptance::team::*;
