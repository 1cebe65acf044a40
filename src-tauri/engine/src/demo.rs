//! The demo's sample project: made new for each demo, so that nothing of the user's is touched.

use std::path::{Path, PathBuf};

use agents::demo::FILES;
use domain::UserError;

use crate::git::{Git, GitError, Repository};
use crate::private;
use crate::session::internal;

/// Makes the sample project as a git repository with one commit: `<workspace>/demo/<time>/project`.
///
/// # Errors
/// What the disk or git says.
pub(crate) fn prepare(workspace: &Path, git: &Git) -> Result<PathBuf, UserError> {
    let project = workspace.join("demo").join(uuid::Uuid::now_v7().to_string()).join("project");
    let hint = "Check the workspace folder, or name another one.";
    write(&project).map_err(|fault| internal(&format!("{}: {fault}", project.display()), hint))?;
    let project = project.canonicalize().map_err(|fault| internal(&fault.to_string(), hint))?;
    commit(&project, git).map_err(|fault| internal(&fault.to_string(), hint))?;
    Ok(project)
}

fn write(project: &Path) -> std::io::Result<()> {
    private::folder(project)?;
    for (name, text) in FILES {
        let path = project.join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn commit(project: &Path, git: &Git) -> Result<(), GitError> {
    let here = Repository::around(git, project);
    here.call("init").args(["--quiet", "--template=", "--initial-branch=main"]).run()?;
    here.call("add").args(["--all", "--", "."]).run()?;
    here.call("commit").args(["--quiet", "--no-verify", "--no-gpg-sign", "-m", "Expenses"]).run()?;
    Ok(())
}
