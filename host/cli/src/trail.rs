//! Where a path leads through. It must not say who may go there.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many links are followed in one path: as many as Linux follows.
const LINKS: usize = 40;

/// The folders that are looked into when a path is opened, those of its links as
/// well, each without links itself: who can change one of them can have the path
/// lead elsewhere. The last is where it leads, as far as that can be looked at, and then
/// as it goes on.
pub(crate) fn trail(path: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let mut here = match path.is_absolute() {
        true => PathBuf::from("/"),
        false => env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
    };
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        places.push(here.clone());
        let next = here.join(&name);
        let Ok(target) = fs::read_link(&next) else {
            here = next;
            continue;
        };
        links += 1;
        if links > LINKS {
            break;
        }
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        let mut through = names(&target);
        through.append(&mut rest);
        rest = through;
    }
    places.push(here);
    places
}

fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_trail_has_the_folders_of_all_links() {
        let folder = TempDir::new().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for name in ["data", "etc", "etc/sub"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        symlink("../etc", root.join("data/current")).unwrap();
        symlink(root.join("data/current/sub"), root.join("start")).unwrap();
        let folders = trail(&root.join("start/../policy.toml"));
        let expected = [
            root.clone(),
            root.clone(),
            root.join("data"),
            root.clone(),
            root.join("etc"),
            root.join("etc"),
            root.join("etc/policy.toml"),
        ];
        let folders: Vec<_> = folders.iter().filter(|f| f.starts_with(&root)).collect();
        assert_eq!(folders, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn links_in_a_circle_have_an_end() {
        let folder = TempDir::new().unwrap();
        symlink("here", folder.path().join("there")).unwrap();
        symlink("there", folder.path().join("here")).unwrap();
        assert!(trail(&folder.path().join("here")).len() > LINKS);
    }

    #[test]
    fn what_is_not_there_is_looked_for() {
        let folders = trail(Path::new("no/such"));
        assert!(folders.contains(&env::current_dir().unwrap().join("no")));
    }
}
