//! The configuration: the sample is valid, and all mistakes of an invalid file are reported at once.

use std::path::Path;

use yomitori_agent::config::Config;
use yomitori_agent::connect::{Mode, RelayAddress};
use yomitori_observation::reader::Name;
use yomitori_proto::vocabulary::{CollectionLevel, LinkageFolder, ReaderRole};

fn mistakes(text: &str) -> Vec<String> {
    Config::parse(text).map_or_else(|mistakes| mistakes.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn the_sample_in_deploy_is_valid() {
    let config = Config::read(Path::new("../deploy/agent.toml")).unwrap();
    assert_eq!(config.server.to_string(), "https://yomitori.example.jp:7443");
    assert_eq!(
        config.linkage.iter().map(|watched| watched.folder).collect::<Vec<_>>(),
        [LinkageFolder::Face, LinkageFolder::Res]
    );
    assert_eq!((config.level, config.spool_budget), (CollectionLevel::Names, 64 * 1024 * 1024));
    let role = |raw: &str| config.roles.role_of(raw, &Name::parse(raw));
    assert_eq!(role("Sony FeliCa Port/PaSoRi 4.0 0"), ReaderRole::Phone);
    assert_eq!(role("Circle CIR315 CL [CIR315 CL] (000A000000M0) 00 00"), ReaderRole::Unknown);
}

#[test]
fn the_least_configuration_has_sensible_defaults() {
    let config = Config::parse("state_dir = \"/s\"\nserver.address = \"https://[::1]\"\n").unwrap();
    assert_eq!((config.server.host(), config.server.port()), ("::1", 7443));
    assert_eq!(config.server.to_string(), "https://[::1]:7443");
    assert_eq!((config.level, config.spool_budget, config.linkage), (CollectionLevel::Names, 64 << 20, vec![]));
}

#[test]
fn all_mistakes_are_reported_at_once_with_line_and_advice() {
    let text = r#"state_dir = "relative"
colour = 1
[server]
address = "http://example.jp"
[[linkage]]
folder = "nose"
path = "/a"
[[linkage]]
folder = "face"
path = "/b"
[[linkage]]
folder = "res"
path = "/b"
[[reader]]
name = "Sony*"
[collection]
level = 3
[spool]
budget_mib = 0
"#;
    assert_eq!(
        mistakes(text),
        [
            "line 1, `state_dir`: is not absolute; a service has no working folder, so write the whole path",
            "line 2, `colour`: is not known here; known are `collection`, `connect`, `desk`, `linkage`, `program`, `reader`, `server`, `spool`, `state_dir`, `versions`",
            "line 4, `server.address`: does not begin with https://; connections are always encrypted",
            "line 5, `linkage`: names one path twice; remove one of the two",
            "line 6, `linkage[1].folder`: is not a known value; write one of \"face\", \"res\"",
            "line 14, `reader[1].role`: is missing; add it (a sample is in deploy/agent.toml)",
            "line 17, `collection.level`: is not a string; write it in quotes",
            "line 19, `spool.budget_mib`: is not a whole number from 1 to 65536",
        ]
    );
}

#[test]
fn a_file_that_is_not_toml_and_an_empty_file_are_reported_as_well() {
    let broken = mistakes("state_dir = /var\n[server\naddress = \"https://a\"\n");
    assert!(broken.iter().any(|mistake| mistake.starts_with("line 1: ")), "{broken:?}");
    assert_eq!(
        mistakes(""),
        [
            "line 1, `server.address`: is missing; add it (a sample is in deploy/agent.toml)",
            "line 1, `state_dir`: is missing; add it (a sample is in deploy/agent.toml)",
        ]
    );
    assert_eq!(
        mistakes("server = 1\nstate_dir = \"/s\"\nreader = 2"),
        [
            "line 1, `server`: is not a section; write it as [server]",
            "line 3, `reader`: is not a list of sections; write each as [[reader]]",
        ]
    );
    for address in ["https://", "https://a:0x", "https://a:70000", "https://a b", "https://a/b", "ftp://a"] {
        let text = format!("state_dir = \"/s\"\nserver.address = \"{address}\"");
        assert_eq!(mistakes(&text).len(), 1, "{address}");
    }
}

#[test]
fn the_desk_page_is_for_this_terminal_only() {
    let parsed = |listen: &str| {
        let text = format!("state_dir = \"/s\"\nserver.address = \"https://a\"\ndesk.listen = \"{listen}\"");
        Config::parse(&text).map(|config| config.desk)
    };
    assert_eq!(Config::read(Path::new("../deploy/agent.toml")).unwrap().desk, Some(7480));
    assert_eq!(Config::parse("state_dir = \"/s\"\nserver.address = \"https://a\"").unwrap().desk, Some(7480));
    for (listen, port) in
        [("127.0.0.1:8000", Some(8000)), ("[::1]:7480", Some(7480)), ("localhost:1", Some(1)), ("off", None)]
    {
        assert_eq!(parsed(listen), Ok(port), "{listen}");
    }
    for listen in
        ["0.0.0.0:7480", "[::]:7480", "192.168.1.5:7480", "clinic.example:7480", ":7480", "127.0.0.1", "localhost:0"]
    {
        assert_eq!(parsed(listen).map_err(|mistakes| mistakes.len()), Err(1), "{listen}");
    }
}

#[test]
fn programs_are_known_by_one_name_each_that_is_no_path() {
    let text = r#"state_dir = "/s"
server.address = "https://a"
[versions]
com_app = "Version.info"
[[program]]
component = "com_app"
process = "OQSComApp.exe"
[[program]]
component = "com_app"
service = "SCardSvr"
[[program]]
component = "card_software"
[[program]]
component = "distro_app"
process = "a"
task = "b"
[[program]]
component = "auth"
process = "../a"
"#;
    assert_eq!(
        mistakes(text),
        [
            "line 4, `versions.com_app`: is not absolute; a service has no working folder, so write the whole path",
            "line 5, `program`: names one component twice; keep the one that matters most",
            "line 11, `program[3].process`: is needed, or `service`, or `task`: exactly one must identify the program",
            "line 15, `program[4].process`: is needed, or `service`, or `task`: exactly one must identify the program",
            "line 18, `program[5].component`: is not a known value; write one of \"com_app\", \"distro_app\", \"card_software\", \"face_reader_software\", \"browser_extension\"",
            "line 19, `program[5].process`: is not a program name: use letters, digits, spaces and ._-+@() only, and no path",
        ]
    );
}

#[test]
fn the_mode_is_direct_or_by_relays_on_one_interface() {
    let mode = |connect: &str| {
        Config::parse(&format!("state_dir = \"/s\"\nserver.address = \"https://[::1]\"\n[connect]\n{connect}\n"))
            .map(|config| config.mode)
            .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    assert_eq!(mode("").unwrap(), Mode::Direct);
    assert_eq!(mode("mode = \"direct\"").unwrap(), Mode::Direct);
    let listen = RelayAddress {
        address: "192.168.1.10:7444".parse().unwrap(),
        relays: vec!["192.168.1.20".parse().unwrap(), "fd00::1".parse().unwrap()],
    };
    let text = "mode = \"relay\"\nlisten = \"192.168.1.10:7444\"\nrelays = [\"192.168.1.20\", \"fd00::1\"]";
    assert_eq!(mode(text).unwrap(), Mode::Relay(listen));
    for (text, what) in [
        ("mode = \"tunnel\"", "is not a known value"),
        ("mode = \"relay\"", "`connect.listen`: is missing"),
        ("listen = \"192.168.1.10:7444\"", "`connect.mode`: is not \"relay\""),
        ("mode = \"relay\"\nlisten = \"0.0.0.0:7444\"", "does not name one interface"),
        ("mode = \"relay\"\nlisten = \"[::]:7444\"", "does not name one interface"),
        ("mode = \"relay\"\nlisten = \"192.168.1.10:0\"", "does not name one interface"),
        ("mode = \"relay\"\nlisten = \"192.168.1.10\"", "not an IP address with a port"),
        ("mode = \"relay\"\nlisten = \"192.168.1.10:1\"\nrelays = \"192.168.1.20\"", "is not a list"),
        ("mode = \"relay\"\nlisten = \"192.168.1.10:1\"\nrelays = [1, \"desk\"]", "is not an IP address; write each"),
    ] {
        let message = mode(text).unwrap_err();
        assert!(message.contains(what), "{text}: {message}");
    }
}
