//! The Debian package: built by its script, unpacked, and inspected as by `apt` and systemd.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use yomitori_agent::config::Config;
use yomitori_tests::world::Build;
use yomitori_tests::world::services::root;

/// In tenths, as reported by systemd.
const EXPOSED_AT_MOST: &str = "20";

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let done = Command::new(program).args(arguments).output().with_context(|| format!("run {program}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(done.status.success(), "{program} {arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    Ok(said)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

#[test]
fn the_package_holds_what_a_terminal_needs_and_the_service_is_hardened() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (out, tree) = (folder.path().join("out"), folder.path().join("tree"));
    let script = root().join("deploy/build-deb");
    let program = Build::Released.program("yomitori-agent");
    let built = run(text(&script)?, &["--binary", text(&program)?, "--out", text(&out)?])?;
    let package = built.trim();

    let info = run("dpkg-deb", &["--info", package])?;
    let version = env!("CARGO_PKG_VERSION");
    for part in ["Package: yomitori-agent", &format!("Version: {version}"), "libpcsclite1", "libc6 (>= 2.", "postinst"]
    {
        ensure!(info.contains(part), "`{part}` is missing: {info}");
    }
    let contents = run("dpkg-deb", &["--contents", package])?;
    for line in contents.lines() {
        ensure!(line.contains("root/root"), "not root's: {line}");
        ensure!(!line.starts_with("-rws") && !line.contains("/var/") && !line.contains("/usr/local/"), "{line}");
    }
    run("dpkg-deb", &["--raw-extract", package, text(&tree)?])?;
    for (path, mode) in [
        ("usr/bin/yomitori-agent", "755"),
        ("etc/yomitori/agent.toml", "644"),
        ("etc/default/yomitori-relay", "644"),
        ("lib/systemd/system/yomitori-agent.service", "644"),
        ("lib/systemd/system/yomitori-relay.service", "644"),
        ("usr/share/polkit-1/rules.d/50-yomitori-agent.rules", "644"),
        ("usr/share/doc/yomitori-agent/copyright", "644"),
        ("usr/share/doc/yomitori-agent/changelog.gz", "644"),
        ("DEBIAN/postinst", "755"),
        ("DEBIAN/prerm", "755"),
        ("DEBIAN/postrm", "755"),
    ] {
        let found = run("stat", &["--format=%a", text(&tree.join(path))?])?;
        ensure!(found.trim() == mode, "{path} has mode {found}");
    }
    let listed = std::fs::read_to_string(tree.join("DEBIAN/conffiles"))?;
    for file in listed.lines() {
        ensure!(tree.join(file.trim_start_matches('/')).is_file(), "{file} is no file of the package");
    }
    for script in ["postinst", "prerm", "postrm"] {
        run("sh", &["-n", text(&tree.join("DEBIAN").join(script))?])?;
    }
    let said = run(text(&tree.join("usr/bin/yomitori-agent"))?, &["--version"])?;
    ensure!(said.contains(version), "{said}");

    // The folder that systemd and the scripts create is the one in the configuration.
    let config = Config::read(&tree.join("etc/yomitori/agent.toml"))?;
    ensure!(config.state_dir == Path::new("/var/lib/yomitori-agent"), "{:?}", config.state_dir);
    for unit in ["yomitori-agent", "yomitori-relay"] {
        let unit = tree.join(format!("lib/systemd/system/{unit}.service"));
        let threshold = format!("--threshold={EXPOSED_AT_MOST}");
        run("systemd-analyze", &["security", "--no-pager", "--offline=true", &threshold, text(&unit)?])?;
        let unit = std::fs::read_to_string(unit)?;
        let program = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).context("ExecStart")?;
        ensure!(program.starts_with("/usr/bin/yomitori-agent "), "{program}");
    }
    let unit = std::fs::read_to_string(tree.join("lib/systemd/system/yomitori-agent.service"))?;
    for line in ["Type=notify", "WatchdogSec=60", "ConditionPathExists=/var/lib/yomitori-agent/identity.pem"] {
        ensure!(unit.lines().any(|found| found == line), "{line} is missing");
    }
    Ok(())
}

#[test]
fn the_servers_unit_is_confined() -> Result<()> {
    let unit = root().join("deploy/systemd/yomitori-server.service");
    let threshold = format!("--threshold={EXPOSED_AT_MOST}");
    run("systemd-analyze", &["security", "--no-pager", "--offline=true", &threshold, text(&unit)?])?;
    let unit = std::fs::read_to_string(unit)?;
    ensure!(unit.lines().any(|line| line.starts_with("LimitNOFILE=")), "systemd's own limit is 1,024 connections");
    Ok(())
}
