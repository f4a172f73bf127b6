//! The usage of a well-known log shipper for the most similar task: rsyslog follows a folder of files, keeps its input
//! on disk until delivery, and sends it over TLS. It has no readers, no sequence numbers and no acknowledgements.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::figures::{Figure, Report};
use super::usage::Cost;
use crate::world::process::Process;
use crate::world::{World, wait};

const PROGRAM: &str = "/usr/sbin/rsyslogd";
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/rsyslog";
/// The modules that it loads for this task.
const LOADED: [&str; 6] = ["imfile.so", "lmnet.so", "lmnetstrms.so", "lmnsd_ossl.so", "lmtcpclt.so", "lmregexp.so"];
const AT_ONCE: usize = 10;
const THERE_FOR: Duration = Duration::from_millis(200);

/// The same day of result files and the same idle `span` as for the agent; `None` if rsyslog is not installed.
///
/// # Errors
/// If rsyslog does not start or does not deliver.
pub async fn measure(world: &World, results: usize, span: Duration, report: &Report) -> Result<Option<Cost>> {
    if !Path::new(PROGRAM).exists() || !Path::new(MODULES).join("lmnsd_ossl.so").exists() {
        report.say("rsyslog is not measured: it is not here (packages rsyslog and rsyslog-openssl)");
        return Ok(None);
    }
    let (state, folder) = (world.new_folder("rsyslog")?, world.new_folder("followed")?);
    let lines = Arc::new(AtomicUsize::new(0));
    let (port, authority) = sink(Arc::clone(&lines)).await?;
    let (config, ca) = (state.join("rsyslog.conf"), state.join("ca.pem"));
    std::fs::write(&ca, authority).context("write the authority")?;
    let text = format!(
        "global(workDirectory={state:?} DefaultNetstreamDriver=\"ossl\" DefaultNetstreamDriverCAFile={ca:?})\n\
         module(load=\"imfile\" mode=\"inotify\")\n\
         input(type=\"imfile\" File=\"{}/*.xml\" Tag=\"result\" freshStartTail=\"off\")\n\
         action(type=\"omfwd\" Target=\"127.0.0.1\" Port=\"{port}\" Protocol=\"tcp\" StreamDriver=\"ossl\" \
         StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/certvalid\" action.resumeRetryCount=\"-1\" \
         queue.type=\"LinkedList\" queue.filename=\"spool\" queue.saveOnShutdown=\"on\" queue.maxDiskSpace=\"64m\" \
         queue.syncqueuefiles=\"on\")\n",
        folder.display()
    );
    std::fs::write(&config, text).context("write rsyslog's configuration")?;
    let mut command = Command::new(PROGRAM);
    command.arg("-n").arg("-f").arg(&config).arg("-i").arg(state.join("pid"));
    let process = Process::start("rsyslogd", command, &state.join("rsyslog.log"))?;
    for round in 0..results / AT_ONCE {
        let files: Vec<_> =
            (0..AT_ONCE).map(|n| folder.join(format!("OQSsiquc01res_face_{round:04}{n:02}.xml"))).collect();
        for file in &files {
            std::fs::write(file, "<XmlMsg/>\n").with_context(|| format!("write {file:?}"))?;
        }
        tokio::time::sleep(THERE_FOR).await;
        for file in &files {
            std::fs::remove_file(file).with_context(|| format!("remove {file:?}"))?;
        }
    }
    // A file that is removed before rsyslog reads it is lost, so the count at this point is final.
    let settled = wait::until("rsyslog's lines", Duration::from_secs(10), async || {
        ensure!(lines.load(Ordering::Relaxed) >= results);
        Ok(())
    })
    .await;
    let seen = lines.load(Ordering::Relaxed);
    ensure!(settled.is_ok() || seen > 0, "rsyslog delivered nothing: {}", process.log());
    let size = |path: &Path| std::fs::metadata(path).map(|about| about.len()).unwrap_or_default();
    let binary = size(Path::new(PROGRAM)) + LOADED.iter().map(|name| size(&Path::new(MODULES).join(name))).sum::<u64>();
    let cost = Cost::of_idling(process.pid(), span, binary).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    report.add(
        Figure::new("rsyslog: files that live 200 ms, seen", seen as f64, "").beside("there were", results as f64),
    );
    Ok(Some(cost))
}

/// Accepts TLS connections and counts the lines; returns the port, and the certificate to trust.
async fn sink(lines: Arc<AtomicUsize>) -> Result<(u16, String)> {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let pem = issued.cert.pem();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .context("a TLS server")?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
    let port = listener.local_addr().context("a port")?.port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, lines) = (acceptor.clone(), Arc::clone(&lines));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(connection).await else { return };
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    lines.fetch_add(buffer[..read].iter().filter(|byte| **byte == b'\n').count(), Ordering::Relaxed);
                }
            });
        }
    });
    Ok((port, pem))
}
