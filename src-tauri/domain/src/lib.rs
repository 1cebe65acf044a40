//! What the product knows and how it decides: no I/O, no clock, no async.

mod agent;
mod brought;
mod call;
mod decision;
mod event;
mod failure;
pub mod guard;
mod ids;
mod job;
pub mod limits;
mod note;
mod plan;
pub mod policy;
pub mod prices;
mod prompt;
mod question;
pub mod recovery;
mod review;
#[cfg(test)]
mod review_tests;
mod row;
mod sandbox;
pub mod scoreboard;
mod settings;
mod state;
mod step;
mod summary;
mod text;
mod timeline;
mod wire;

pub use agent::*;
pub use brought::*;
pub use call::*;
pub use decision::*;
pub use event::*;
pub use failure::*;
pub use ids::*;
pub use job::*;
pub use note::*;
pub use plan::*;
pub use prompt::{Material, prompt, writes};
pub use question::*;
pub use review::*;
pub use row::*;
pub use sandbox::*;
pub use settings::*;
pub use state::*;
pub use step::{Effect, Input, Now, Step};
pub use summary::*;
pub use text::*;
pub use timeline::timeline;
pub use wire::*;

/// The window's types come from here, so that no field can be spelled differently on the other side.
#[cfg(all(test, feature = "ts"))]
mod generated {
    use std::{collections::BTreeMap, path::Path};

    use ts_rs::{Config, TS, TypeVisitor};

    const HEADER: &str = "// Written by `cargo test -p domain --features ts`; do not edit.\n";

    /// Walks from the roots to every type they are made of, each once, by name.
    struct Declarations {
        config: Config,
        found: BTreeMap<String, String>,
    }

    impl TypeVisitor for Declarations {
        fn visit<T: TS + 'static + ?Sized>(&mut self) {
            // Only types of our own have a file to be written to; numbers, lists and texts do not.
            if T::output_path().is_none() || self.found.contains_key(&T::ident(&self.config)) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            let text = format!("{docs}export {}", T::decl(&self.config));
            self.found.insert(T::ident(&self.config), text);
            T::visit_dependencies(self);
        }
    }

    fn declarations() -> String {
        let config = Config::new().with_large_int("number");
        let mut all = Declarations { config, found: BTreeMap::new() };
        all.visit::<crate::Request>();
        all.visit::<crate::Response>();
        all.visit::<crate::UserError>();
        let mut text = HEADER.to_owned();
        for declaration in all.found.values() {
            text += &format!("\n{declaration}\n");
        }
        text
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that keeps a generated file current has to read and write it"
    )]
    fn the_windows_types_are_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/generated/types.ts");
        let wanted = declarations();
        if std::fs::read_to_string(&path).is_ok_and(|there| there == wanted) {
            return;
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
        panic!("ui/src/generated/types.ts was stale; it has been written again, so commit it");
    }
}
