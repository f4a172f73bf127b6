//! The program as the service manager and a technician use it: exit codes, a prompt exit, and the contents of the spool
//! afterwards.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;
use uuid::Uuid;
use yomitori_agent::clock;
use yomitori_agent::identity::Identity;
use yomitori_agent::spool::Spool;
use yomitori_proto::event::Event;
use yomitori_proto::id::{FacilityId, Seq, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::vocabulary::{GapSource, LinkageKind, StartReason, StopReason};

const HERE: Uuid = Uuid::from_u128(1);

struct Terminal {
    root: TempDir,
}

impl Terminal {
    /// A terminal with an identity and a folder, but without a resource manager or a reachable server.
    fn enrolled() -> anyhow::Result<Self> {
        let terminal = Self { root: tempfile::tempdir()? };
        std::fs::create_dir_all(terminal.path("face"))?;
        std::fs::create_dir_all(terminal.path("state"))?;
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key)?.der().clone();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        for name in [format!("urn:yomitori:terminal:{HERE}"), format!("urn:yomitori:facility:{HERE}")] {
            params.subject_alt_names.push(SanType::URI(name.try_into()?));
        }
        let certificate = params.signed_by(&key, &issuer)?.der().clone();
        Identity::new(key.serialize_der(), certificate, authority)?.store(&terminal.path("state"))?;
        terminal.configure(&format!(
            "state_dir = {:?}\nserver.address = \"https://127.0.0.1:1\"\ndesk.listen = \"off\"\n[[linkage]]\nfolder = \"face\"\npath = {:?}\n",
            terminal.path("state"),
            terminal.path("face"),
        ))?;
        Ok(terminal)
    }

    fn configure(&self, text: &str) -> std::io::Result<()> {
        std::fs::write(self.path("agent.toml"), text)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yomitori-agent"));
        command.arg("--config").arg(self.path("agent.toml")).args(arguments);
        command.env("PCSCLITE_CSOCK_NAME", self.path("no-resource-manager")).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> std::io::Result<Output> {
        self.command(arguments).output()
    }
}

fn stop(mut child: Child) -> anyhow::Result<String> {
    let asked_at = Instant::now();
    ensure!(Command::new("kill").arg(child.id().to_string()).status()?.success(), "it can be asked to end");
    let status = child.wait()?;
    ensure!(status.success(), "it ends with {status}");
    ensure!(asked_at.elapsed() < Duration::from_secs(2), "it took {:?}", asked_at.elapsed());
    let mut log = String::new();
    child.stderr.take().context("the log is piped")?.read_to_string(&mut log)?;
    Ok(log)
}

fn until(what: &str, holds: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let (_nobody, never) = std::sync::mpsc::sync_channel::<()>(0);
    while !holds() {
        ensure!(began.elapsed() < Duration::from_secs(30), "waited for {what}");
        let _ = never.recv_timeout(Duration::from_millis(20));
    }
    Ok(())
}

/// The events in the spool, except those that depend on the machine of the test.
fn events(state: &Path) -> anyhow::Result<Vec<Event>> {
    let spool =
        Spool::open(state, Peer { terminal: TerminalId(HERE), facility: FacilityId(HERE) }, 1 << 20, clock::now())?;
    let events = spool.after(Seq::NONE, usize::MAX)?.into_iter().map(|observation| observation.event);
    Ok(events.filter(|event| !matches!(event, Event::SoftwareVersionsObserved(_) | Event::ReaderBlocked(_))).collect())
}

#[test]
fn it_stores_what_it_sees_without_a_server_and_ends_promptly() -> anyhow::Result<()> {
    let terminal = Terminal::enrolled()?;
    let secret = "OQSsiquc01res_face_1319999015P0000123_20260401093005.xml";
    let child = terminal.command(&["run"]).spawn()?;
    until("the spool", || terminal.path("state").join("sent.jsonl").exists())?;
    std::fs::write(terminal.path("face").join(secret), "<XmlMsg/>")?;
    // A folder is checked at least every second; a second agent is rejected while the first one runs.
    let second = terminal.run(&["run"])?;
    ensure!(second.status.code() == Some(1), "{second:?}");
    let began = Instant::now();
    until("a look at the folder", || began.elapsed() > Duration::from_millis(1_500))?;
    let log = stop(child)?;
    ensure!(!log.contains("1319999015") && !log.contains("0000123"), "a file's name is in the log: {log}");

    let kept = events(&terminal.path("state"))?;
    let [
        Event::AgentStarted(started),
        Event::LinkageResultObserved(seen),
        Event::CollectionGap(gap),
        Event::AgentStopped(stopped),
    ] = &kept[..]
    else {
        anyhow::bail!("{kept:?}")
    };
    assert_eq!((started.reason, stopped.reason), (StartReason::Boot, StopReason::Service));
    assert_eq!((seen.kind, gap.source), (LinkageKind::FaceResult, GapSource::Pcsc));

    let child = terminal.command(&["run"]).spawn()?;
    let began = Instant::now();
    until("a look at the folder", || began.elapsed() > Duration::from_millis(1_500))?;
    stop(child)?;
    let again = &events(&terminal.path("state"))?[4..];
    assert!(matches!(&again[0], Event::AgentStarted(started) if started.reason == StartReason::Restart));
    assert_eq!(again.len(), 3, "the file is not reported again: {again:?}");
    Ok(())
}

/// The resource manager of a test. It is killed when it is dropped, also while it is stopped.
struct ResourceManager(Child);

impl ResourceManager {
    /// Listens on `socket` and hands it over as systemd does: as descriptor 3.
    fn start(readers: &Path, socket: &Path) -> anyhow::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let mut command = Command::new("sh");
        let hand_over = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec /usr/sbin/pcscd --foreground -c \"$0\"";
        command.args(["-c", hand_over]).arg(readers).stdin(Stdio::from(OwnedFd::from(listener)));
        Ok(Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?))
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status()?;
        ensure!(sent.success(), "pcscd has ended");
        Ok(())
    }
}

impl Drop for ResourceManager {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_resource_manager_that_hangs_for_ever_is_a_gap_and_the_agent_still_ends_in_time() -> anyhow::Result<()> {
    let terminal = Terminal::enrolled()?;
    // A socket's path must be short.
    let (socket, log) = (terminal.path("pcscd"), terminal.path("agent.log"));
    let readers = terminal.path("readers");
    std::fs::create_dir(&readers)?;
    let manager = ResourceManager::start(&readers, &socket)?;
    let mut command = terminal.command(&["run"]);
    command.env("PCSCLITE_CSOCK_NAME", &socket).stderr(std::fs::File::create(&log)?);
    let mut child = command.spawn()?;
    let logged = |text: &str| std::fs::read_to_string(&log).is_ok_and(|log| log.contains(text));
    let began = Instant::now();
    until("the readers to be watched", || began.elapsed() > Duration::from_millis(1_500))?;
    ensure!(!logged("PC/SC does not answer"), "pcscd works");

    manager.signal("-STOP")?;
    let stopped_at = clock::now();
    until("the supervisor to notice", || logged("source=\"pcsc\""))?;
    let noticed = Instant::now();
    until("the report, half a minute after the last sign", || noticed.elapsed() > Duration::from_secs(24))?;
    // What does not hang goes on.
    std::fs::write(terminal.path("face").join("OQSsiquc01res_face_1.xml"), "<XmlMsg/>")?;
    let began = Instant::now();
    until("a look at the folder", || began.elapsed() > Duration::from_millis(1_500))?;
    let asked_at = Instant::now();
    ensure!(Command::new("kill").arg(child.id().to_string()).status()?.success(), "it can be asked to end");
    let status = child.wait()?;
    ensure!(status.success() && asked_at.elapsed() < Duration::from_secs(4), "{status} {:?}", asked_at.elapsed());
    drop(manager);

    let kept = events(&terminal.path("state"))?;
    let [
        Event::AgentStarted(_),
        Event::CollectionGap(gap),
        Event::LinkageResultObserved(_),
        Event::CollectionGap(rest),
        Event::AgentStopped(_),
    ] = &kept[..]
    else {
        anyhow::bail!("{kept:?}")
    };
    assert_eq!((gap.source, rest.source, rest.from), (GapSource::Pcsc, GapSource::Pcsc, gap.to));
    assert!(gap.from <= stopped_at && stopped_at + TimeDelta::seconds(25) < gap.to, "{gap:?} {stopped_at}");
    Ok(())
}

#[test]
fn exit_codes_show_what_is_wrong_and_messages_what_to_do() -> anyhow::Result<()> {
    let terminal = Terminal::enrolled()?;
    let check = terminal.run(&["check"])?;
    let text = String::from_utf8(check.stdout)?;
    assert_eq!(check.status.code(), Some(1), "{text}");
    assert!(text.contains("[ OK ] 証明書 certificate") && text.contains("[ NG ] サーバー server"), "{text}");
    assert_eq!(terminal.run(&["sent"])?.status.code(), Some(0));

    let no_token = terminal.run(&["enrol", "--token", "ytm1.x"])?;
    assert_eq!(no_token.status.code(), Some(2));
    assert!(String::from_utf8(no_token.stderr)?.contains("token issue"));
    assert_eq!(terminal.run(&["fly"])?.status.code(), Some(2));

    std::fs::remove_file(terminal.path("state").join("identity.pem"))?;
    let not_enrolled = terminal.run(&["run"])?;
    assert_eq!(not_enrolled.status.code(), Some(1));
    assert!(String::from_utf8(not_enrolled.stderr)?.contains("yomitori-agent enrol"));

    terminal.configure("state_dir = \"x\"\ncolour = 1\n")?;
    for command in ["run", "check"] {
        let wrong = terminal.run(&[command])?;
        assert_eq!(wrong.status.code(), Some(2));
        let text = String::from_utf8([wrong.stdout, wrong.stderr].concat())?;
        assert!(
            text.contains("3 mistake(s)") && text.contains("`colour`") && text.contains("`server.address`"),
            "{text}"
        );
    }
    Ok(())
}
