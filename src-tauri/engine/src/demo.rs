//! The demo's sample project: made new for each demo, so that nothing of the user's is touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use domain::UserError;
use serde::Deserialize;

use crate::private;
use crate::session::internal;

/// What the demo works on, as `orchestrate demo-agent --sample DIR` tells in JSON on its standard output.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Demo {
    /// The user's prompt in the demo.
    pub(crate) goal: String,
    /// The project's check commands.
    pub(crate) checks: Vec<String>,
    /// The sample project.
    #[serde(skip)]
    pub(crate) target: PathBuf,
    /// Folders that workers may be given when they ask; relative to the sample project's parent.
    pub(crate) directories: Vec<String>,
}

/// Makes a sample project beside the sessions: `<workspace>/demo/<time>/project`.
///
/// # Errors
/// When the program that brings the demo cannot be run, or what the disk says.
pub(crate) fn prepare(workspace: &Path, orchestrate: &Path) -> Result<Demo, UserError> {
    let hint = "Install the program again; `orchestrate` belongs beside it.";
    let folder = workspace.join("demo").join(uuid::Uuid::now_v7().to_string());
    private::folder(&folder).map_err(|fault| internal(&fault.to_string(), "Check the workspace folder."))?;
    let folder = folder.canonicalize().map_err(|fault| internal(&fault.to_string(), hint))?;
    let target = folder.join("project");
    let said = Command::new(orchestrate)
        .args(["demo-agent", "--sample"])
        .arg(&target)
        .stdin(Stdio::null())
        .output()
        .map_err(|fault| internal(&format!("{} cannot be run: {fault}", orchestrate.display()), hint))?;
    if !said.status.success() {
        return Err(internal(
            &format!("no sample project: {}", String::from_utf8_lossy(&said.stderr).trim()),
            hint,
        ));
    }
    let mut demo: Demo = serde_json::from_slice(&said.stdout)
        .map_err(|fault| internal(&format!("no sample project: {fault}"), hint))?;
    demo.directories =
        demo.directories.iter().map(|name| folder.join(name).to_string_lossy().into_owned()).collect();
    demo.target = target;
    Ok(demo)
}
