//! `orchestrate` with protections taken away, as `ORCHESTRATE_WEAKNESS` names them: the control runs of the recipes use
//! it. What it starts is as strong as ever, because workers get none of its environment.

use std::process::ExitCode;

use engine::weakness::{Weakness, weaken};

fn main() -> ExitCode {
    let wanted = std::env::var("ORCHESTRATE_WEAKNESS").unwrap_or_default();
    let named = wanted.split(',').filter_map(|name| Weakness::ALL.into_iter().find(|it| it.name() == name));
    named.for_each(weaken);
    cli::main()
}
