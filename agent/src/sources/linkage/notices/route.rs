//! The way from the root to a folder: each directory on it, with the name by which the next one is found.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// More than any path has, and the limit for links that lead to each other.
const LONGEST: usize = 128;

/// The steps to `path`, from the root on. A symbolic link is a step, and so are the steps to where it leads.
pub(super) fn steps(path: &Path) -> io::Result<Vec<(PathBuf, OsString)>> {
    let mut left: VecDeque<OsString> = std::path::absolute(path)?.components().map(own).collect();
    let (mut here, mut steps) = (PathBuf::from("/"), Vec::new());
    while let Some(name) = left.pop_front() {
        match Path::new(&name).components().next() {
            Some(Component::RootDir) => here = PathBuf::from("/"),
            Some(Component::ParentDir) => drop(here.pop()),
            Some(Component::Normal(_)) => {
                if steps.len() == LONGEST {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                let next = here.join(&name);
                steps.push((here.clone(), name));
                if next.symlink_metadata()?.is_symlink() {
                    std::fs::read_link(&next)?.components().rev().map(own).for_each(|name| left.push_front(name));
                } else {
                    here = next;
                }
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    Ok(steps)
}

fn own(component: Component<'_>) -> OsString {
    component.as_os_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_where_they_lead_are_steps() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let root = root.path().canonicalize()?;
        let at = |path: &str| root.join(path);
        std::fs::create_dir_all(at("real/outer/face"))?;
        std::os::unix::fs::symlink("../real/outer", at("real/inner"))?;
        std::os::unix::fs::symlink(at("real/./inner"), at("link"))?;
        let found: Vec<PathBuf> = steps(&at("link/face"))?.into_iter().map(|(here, name)| here.join(name)).collect();
        let wanted = ["real", "real/inner", "real", "real/outer", "real/outer/face"].map(at);
        assert!(found.contains(&at("link")) && found.ends_with(&wanted), "{found:?}");
        assert_eq!(found.first(), root.ancestors().nth(root.components().count() - 2).map(Path::to_owned).as_ref());

        std::os::unix::fs::symlink("loop", at("loop"))?;
        assert!(steps(&at("loop/face")).is_err());
        assert!(steps(&at("missing/face")).is_err());
        Ok(())
    }
}
