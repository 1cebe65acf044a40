//! The demo: its agents, its sample project and what its user says. Data only; the agents' script is part of the
//! terminal program, which plays it as `orchestrate demo-agent`.

use domain::{AgentInfo, Choice, Dialect};

/// What the demo's user asks for.
pub const GOAL: &str = "Write two small tools for expenses.csv: total.sh prints the sum of all expenses, \
                        by-category.sh the sum of each category. With tests.";

/// The demo's answer to its own question, when two reviewers have a concern.
pub const ANSWER: (Choice, &str) = (
    Choice::Instruct,
    "Upper and lower case do not matter: food and Food are one category. Sort the lines by name.",
);

/// The sample project's check command.
pub const CHECK: &str = "sh check.sh";

/// The sample project: paths relative to its root, and texts. It needs a POSIX shell and awk, nothing else. `notes/` is
/// ignored by git, so that a worktree does not have it: that is where the demo's recovery comes from.
pub const FILES: &[(&str, &str)] = &[
    (
        "README.md",
        "# Expenses\n\nA list of expenses in `expenses.csv`, in cents, and soon some tools for it.\n\
         `sh check.sh` runs the tests.\n",
    ),
    (
        "expenses.csv",
        "date,category,cents\n2026-01-03,food,1250\n2026-01-04,books,899\n2026-01-09,Food,475\n\
         2026-01-12,travel,3120\n2026-01-20,books,1561\n",
    ),
    (
        "check.sh",
        "#!/bin/sh\n# Runs every test in tests/.\ncd \"$(dirname \"$0\")\" || exit 1\nfailed=0\n\
         for test in tests/*.sh; do\n  if sh \"$test\"; then echo \"ok   $test\"; else echo \"FAIL $test\"; failed=1; fi\n\
         done\nexit $failed\n",
    ),
    ("tests/data.sh", "#!/bin/sh\nhead -n 1 expenses.csv | grep -qx 'date,category,cents'\n"),
    (".gitignore", "notes/\n"),
    (
        "notes/wishes.md",
        "# Wishes\n\nTwo tools: one for the sum of everything, one for the sums by category.\n\
         Plain shell, so that they run anywhere.\n",
    ),
];

/// The demo's three agents, played by `program` (the terminal program's absolute path).
#[must_use]
pub fn agents(program: &str) -> Vec<AgentInfo> {
    let agent = |dialect: Dialect| {
        let words = ["demo-agent", "--dialect", dialect.as_str(), "--script", "demo", "--"];
        AgentInfo {
            name: dialect.as_str().into(),
            dialect,
            program: program.to_owned(),
            leading_args: words.map(str::to_owned).into(),
            version: "demo".to_owned(),
            demo: true,
        }
    };
    Dialect::ALL.map(agent).into()
}
