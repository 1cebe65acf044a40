//! The diffs: 30 tasks, each done once with a planted defect and once well, so that a pair differs in the defect alone.

use std::path::PathBuf;

/// A task, and two ways in which it was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// The file's name without its ending.
    pub(crate) name: String,
    /// In which language.
    pub(crate) language: String,
    /// Which kind of defect is planted.
    pub(crate) kind: String,
    /// The file that changes.
    pub(crate) file: String,
    /// What the author was to do.
    pub(crate) task: String,
    /// The planted defect's own text.
    pub(crate) quote: String,
    /// Why it is one.
    pub(crate) why: String,
    /// The file before.
    pub(crate) before: String,
    /// The file after, with the defect.
    pub(crate) planted: String,
    /// The file after, without it.
    pub(crate) clean: String,
}

/// One of the two diffs of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Diff<'a> {
    pub(crate) case: &'a Case,
    /// Its place in the corpus.
    pub(crate) number: usize,
    /// Whether it has the defect.
    pub(crate) planted: bool,
}

impl Diff<'_> {
    /// The file as the author left it.
    pub(crate) fn after(&self) -> &str {
        if self.planted { &self.case.planted } else { &self.case.clean }
    }

    /// A line that the change took away.
    pub(crate) fn removed(&self) -> &str {
        let gone = |line: &&str| 8 <= line.trim().len() && !self.after().contains(line.trim());
        self.case.before.lines().find(gone).unwrap_or_default()
    }

    /// A line that really stands there, for those who find fault with what is good.
    pub(crate) fn some_line(&self) -> &str {
        let lines = || self.after().lines().filter(|line| 12 <= line.trim().len());
        let mut changed = lines().filter(|line| !self.case.before.contains(line.trim()));
        changed.next_back().or(lines().next_back()).unwrap_or_default()
    }
}

/// Both diffs of each case.
pub(crate) fn diffs(cases: &[Case]) -> Vec<Diff<'_>> {
    let each = |(number, case)| [true, false].map(|planted| Diff { case, number, planted });
    cases.iter().enumerate().flat_map(each).collect()
}

/// Reads the corpus.
pub(crate) fn load() -> Result<Vec<Case>, String> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/gate"));
    let listed = std::fs::read_dir(&folder).map_err(|fault| format!("{}: {fault}", folder.display()))?;
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let case = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        parse(name, &text).ok_or_else(|| format!("{} is no case", path.display()))
    };
    paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "case")).map(case).collect()
}

fn parse(name: String, text: &str) -> Option<Case> {
    let (head, rest) = text.split_once("=== before\n")?;
    let (before, rest) = rest.split_once("=== planted\n")?;
    let (planted, clean) = rest.split_once("=== clean\n")?;
    let mut case = Case { name, ..Case::default() };
    let mut quote = Vec::new();
    for line in head.lines() {
        let (field, value) = line.split_once(": ")?;
        match field {
            "language" => case.language = value.to_owned(),
            "kind" => case.kind = value.to_owned(),
            "file" => case.file = value.to_owned(),
            "task" => case.task = value.to_owned(),
            "why" => case.why = value.to_owned(),
            "quote" => quote.push(value),
            _ => return None,
        }
    }
    case.quote = quote.join("\n");
    (case.before, case.planted, case.clean) = (before.to_owned(), planted.to_owned(), clean.to_owned());
    Some(case)
}
