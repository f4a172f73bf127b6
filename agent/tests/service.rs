//! What an installer hands over to the service: a valid configuration and a token that is used once, without losing
//! anything that existed before.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use yomitori_agent::config::{self, Config};
use yomitori_agent::service::handover::{self, Handover, HandoverError};
use yomitori_agent::service::readiness::{MissingSetup, attempt};

fn token() -> String {
    format!("ytm1.abcdefghijklmnopqrstuvwxyz.{}", "0f".repeat(32))
}

/// Windows paths are not absolute on other systems.
fn readable(text: &str) -> String {
    text.replace(r"C:\", "/")
}

#[test]
fn the_sample_for_windows_is_valid() {
    let config = Config::parse(&readable(include_str!("../../deploy/windows/agent.toml"))).unwrap();
    assert_eq!(config.linkage.len(), 2);
    let role = |raw: &str| config.roles.role_of(raw, &yomitori_observation::reader::Name::parse(raw));
    for reader in ["SONY FeliCa Port/PaSoRi 4.0 0", "CIR315 CL 0"] {
        assert_eq!(role(reader), yomitori_proto::vocabulary::ReaderRole::Phone, "{reader}");
    }
}

#[test]
fn the_installers_input_becomes_a_valid_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Yomitori/agent.toml");
    Handover::parse("yomitori.example.jp:8443", &token()).unwrap().write(&path).unwrap();
    let config = Config::parse(&readable(&fs::read_to_string(&path).unwrap())).unwrap();
    assert_eq!(config.server.to_string(), "https://yomitori.example.jp:8443");
    assert_eq!(config.state_dir, folder.path().join("Yomitori/state"));
    assert_eq!(handover::token(&path).unwrap().unwrap().text(), token());
    handover::forget(&path).unwrap();
    assert!(handover::token(&path).unwrap().is_none());
    handover::forget(&path).unwrap();
}

#[test]
fn an_upgrade_keeps_the_configuration_but_for_a_new_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let own = "# 受付\nstate_dir = \"/s\"\n[server]\naddress = \"https://a:7443\" # 旧\n[desk]\nlisten = \"off\"\n";
    fs::write(&path, own).unwrap();
    Handover::parse("", "").unwrap().write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), own);
    Handover::parse("https://a", "").unwrap().write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), own, "the same server is no change");
    Handover::parse("b", "").unwrap().write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), own.replace("https://a:7443", "https://b:7443"));

    fs::write(&path, "state_dir = \"/s\"\n").unwrap();
    let refused = Handover::parse("b", "").unwrap().write(&path);
    assert!(matches!(refused, Err(HandoverError::NoAddress { .. })), "{refused:?}");
    fs::write(&path, "state_dir = \n").unwrap();
    let refused = Handover::parse("b", "").unwrap().write(&path);
    assert!(matches!(refused, Err(HandoverError::Config(_))), "{refused:?}");
}

#[test]
fn without_a_server_nothing_is_configured_and_a_token_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    Handover::parse(" ", &token()).unwrap().write(&path).unwrap();
    assert!(!path.exists());
    assert!(handover::token(&path).unwrap().is_some());
}

#[test]
fn an_invalid_or_expired_token_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let file = folder.path().join("enrolment-token");
    for rubbish in [b"ytm1.".as_slice(), b"", &[0xFF, 0xFE]] {
        fs::write(&file, rubbish).unwrap();
        assert!(handover::token(&path).unwrap().is_none());
        assert!(!file.exists());
    }
    fs::write(&file, token()).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(25 * 3_600);
    File::options().write(true).open(&file).unwrap().set_modified(yesterday).unwrap();
    assert!(handover::token(&path).unwrap().is_none());
    assert!(!file.exists());
}

#[test]
fn invalid_input_is_rejected_with_advice() {
    let why = |server: &str, token: &str| Handover::parse(server, token).unwrap_err();
    assert!(why("a:0x", "").contains("port"), "{}", why("a:0x", ""));
    assert!(why("http://a", "").contains("https://"));
    assert!(why("", "ytm1.x").contains("ytm1."));
}

#[test]
fn purging_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Yomitori/agent.toml");
    handover::purge(&path).unwrap();
    Handover::parse("a", &token()).unwrap().write(&path).unwrap();
    fs::create_dir_all(folder.path().join("Yomitori/state")).unwrap();
    fs::write(folder.path().join("Yomitori/state/spool.redb"), b"x").unwrap();
    handover::purge(&path).unwrap();
    assert!(!folder.path().join("Yomitori").exists() && folder.path().exists());
}

#[test]
fn purging_leaves_what_is_not_the_agents() {
    let folder = tempfile::tempdir().unwrap();
    // Somebody has named a folder of their own, and keeps the configuration in it.
    let path = folder.path().join("agent.toml");
    let state = folder.path();
    fs::write(&path, format!("state_dir = {state:?}\nserver.address = \"https://[::1]:9\"\n")).unwrap();
    let theirs = [folder.path().join("patients.csv"), folder.path().join("photos/one.jpg")];
    fs::create_dir(folder.path().join("photos")).unwrap();
    for file in theirs.iter().chain(&handover::STATE.map(|name| folder.path().join(name))) {
        fs::write(file, b"x").unwrap();
    }
    handover::purge(&path).unwrap();
    assert!(theirs.iter().all(|file| file.exists()));
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["patients.csv", "photos"]);
}

#[tokio::test]
async fn a_terminal_that_is_not_enrolled_waits_and_says_for_what() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    assert!(matches!(attempt(&path).await, Err(MissingSetup::Config(_))));
    let state = folder.path().join("state");
    fs::write(&path, format!("state_dir = {state:?}\nserver.address = \"https://[::1]:9\"\n")).unwrap();
    assert!(matches!(attempt(&path).await, Err(MissingSetup::NotEnrolled)));
    // No server listens there, so the token may still be valid and stays.
    Handover::parse("", &token()).unwrap().write(&path).unwrap();
    assert!(matches!(attempt(&path).await, Err(MissingSetup::Enrol(_))));
    assert!(handover::token(&path).unwrap().is_some());
    // A broken certificate does not prevent the request for a new one.
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("identity.pem"), "-----BEGIN").unwrap();
    assert!(matches!(attempt(&path).await, Err(MissingSetup::Enrol(_))));
    handover::forget(&path).unwrap();
    assert!(matches!(attempt(&path).await, Err(MissingSetup::Identity(_))));
}

proptest! {
    #[test]
    fn whatever_is_said_is_taken_or_refused_without_harm(server in ".{0,40}", token in ".{0,40}") {
        if let Ok(Handover { server: Some(server), .. }) = Handover::parse(&server, &token) {
            let text = config::with_server("a = 1\nserver = { address = 'x' }\n", &server).unwrap().unwrap();
            let config = Config::parse(&text.replace("a = 1", "state_dir = \"/s\"")).unwrap();
            prop_assert_eq!(config.server, server);
        }
    }

    #[test]
    fn whatever_a_configuration_holds_is_changed_in_one_place_or_not_at_all(text in ".{0,200}") {
        let server = "https://a".parse().unwrap();
        let _ = config::with_server(&text, &server);
    }
}

#[test]
fn a_path_without_a_folder_is_accepted() {
    assert!(handover::token(Path::new("agent.toml")).unwrap().is_none());
}
