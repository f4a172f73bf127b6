//! The sections of the configuration about the official software.

use std::path::PathBuf;

use yomitori_base::document::Section;
use yomitori_proto::vocabulary::Component;

use super::value::{absolute, one_of};
use crate::system::ProgramName;

/// The official software on this terminal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Software {
    pub versions: VersionFiles,
    pub programs: Vec<Program>,
}

/// The `Version.info` files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VersionFiles {
    pub com_app: Option<PathBuf>,
    pub distro_app: Option<PathBuf>,
    pub auth: Option<PathBuf>,
}

/// A program that should run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    pub component: Component,
    pub name: ProgramName,
    /// Where it is installed; if this path does not exist, the program is missing.
    pub path: Option<PathBuf>,
}

/// `[versions]`: where the `Version.info` files are.
pub(super) fn versions(versions: &mut Section<'_>) -> VersionFiles {
    let mut file = |field, usual: &str| {
        let usual = cfg!(windows).then(|| PathBuf::from(usual));
        versions.optional(field, absolute).or(usual)
    };
    VersionFiles {
        com_app: file("com_app", r"C:\Program Files\OQS\OQSComApp\Version.info"),
        distro_app: file("distro_app", r"C:\Program Files\OQS\OQSDistroApp\Version.info"),
        auth: file("auth", r"C:\Program Files\OQS-Auth\Version.info"),
    }
}

/// `[[program]]`: a program that should run, identified by one name.
pub(super) fn program(program: &mut Section<'_>) -> Option<Program> {
    let component = program.required("component", component);
    let names = [
        program.optional("process", name).map(ProgramName::Process),
        program.optional("service", name).map(ProgramName::Service),
        program.optional("task", name).map(ProgramName::Task),
    ];
    let path = program.optional("path", absolute);
    if program.count_present(&["process", "service", "task"]) != 1 {
        program.mistake("process", "is needed, or `service`, or `task`: exactly one must identify the program");
        return None;
    }
    let name = names.into_iter().flatten().next();
    Some(Program { component: component?, name: name?, path })
}

/// Two programs of one component would contradict each other.
pub(super) fn check_distinct_components(root: &mut Section<'_>, programs: &[Program]) {
    let twice = |(index, program): (usize, &Program)| {
        programs.iter().take(index).any(|other| other.component == program.component)
    };
    if programs.iter().enumerate().any(twice) {
        root.mistake("program", "names one component twice; keep the one that matters most");
    }
}

fn component(text: &str) -> Result<Component, String> {
    let words = [
        ("com_app", Component::ComApp),
        ("distro_app", Component::DistroApp),
        ("card_software", Component::CardSoftware),
        ("face_reader_software", Component::FaceReaderSoftware),
        ("browser_extension", Component::BrowserExtension),
    ];
    one_of(&words, text)
}

/// A name; rejects characters from which a path or another command could be built.
fn name(text: &str) -> Result<String, String> {
    let holds = (1..=128).contains(&text.chars().count())
        && !text.starts_with(['-', '/', '.'])
        && text.chars().all(|letter| letter.is_alphanumeric() || " ._-+@()".contains(letter));
    if holds {
        Ok(text.to_owned())
    } else {
        Err("is not a program name: use letters, digits, spaces and ._-+@() only, and no path".to_owned())
    }
}
