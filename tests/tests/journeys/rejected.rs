//! Why a terminal does not come to the server, in words that a person in a clinic can act on: its clock is wrong, or
//! something in between shows a certificate of its own.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use yomitori_proto::id::FacilityId;
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::pretence::Pretence;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";

async fn group(test: &str) -> Result<(World, Server)> {
    let world = World::new(test).await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},とけいの医院,東京都\n")).await?;
    wait::until(CODE, PATIENCE, async || server.facility(CODE).await).await?;
    Ok((world, server))
}

/// What `check` prints.
async fn checked(agent: &Agent) -> Result<String> {
    Ok(String::from_utf8_lossy(&agent.try_run(&["check"]).await?.stdout).into_owned())
}

/// The lines of the desk page as one text.
async fn desk(agent: &Agent) -> Result<String> {
    let state: Value = reqwest::get(format!("{}/state", agent.desk)).await?.error_for_status()?.json().await?;
    Ok(state["lines"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_named_and_nothing_is_lost() -> Result<()> {
    let (world, server) = group("wrong-clock").await?;
    let pretence = Pretence::new(world.folder())?;
    let env = pretence.env().into_iter().map(|(name, value)| format!("{name}={value}"));
    let within = std::iter::once("env".to_owned()).chain(env).collect();
    let mut agent = Agent::prepare(&world, &server.uplink, AgentPlan { desk: true, within, ..AgentPlan::default() })?;
    agent.enrol(&server, CODE).await?;
    ensure!(checked(&agent).await?.contains("agrees with the server's"), "{}", checked(&agent).await?);

    // Years ahead, the server's certificate seems to have expired.
    pretence.clock(TimeDelta::days(4 * 365))?;
    let said = checked(&agent).await?;
    ensure!(said.contains("[ NG ] 時計 clock") && said.contains("少なくとも2年進んでいます"), "{said}");
    ensure!(said.contains("at least 2 years ahead"), "{said}");
    agent.launch()?;
    agent.face_result(clock::now()).await?;
    wait::until("the desk page to name the clock", PATIENCE, async || {
        let lines = desk(&agent).await?;
        ensure!(lines.contains("端末の時計") && lines.contains("少なくとも2年進んでいます"), "{lines}");
        Ok(())
    })
    .await?;
    ensure!(agent.log().contains("this terminal's clock is wrong"), "{}", agent.log());

    // Years behind, as with an empty battery, the terminal comes in, and the clock is still named.
    pretence.clock(-TimeDelta::days(7 * 365 + 100))?;
    let store = world.store().await?;
    wait::until("the result", PATIENCE * 4, async || {
        let query = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = 'linkage_result_observed'";
        let found: i64 = store.query_one(query, &[&FacilityId::of_code(CODE).0]).await?.get(0);
        ensure!(found == 1, "{found}: {}", agent.log());
        Ok(())
    })
    .await?;
    let lines = desk(&agent).await?;
    ensure!(lines.contains("端末の時計") && lines.contains("約7年遅れています"), "{lines}");
    let said = checked(&agent).await?;
    ensure!(said.contains("[ NG ] 時計 clock") && said.contains("about 7 years behind"), "{said}");
    Ok(())
}

/// A proxy that inspects TLS: it shows a certificate for the server's name from an authority of its own.
async fn proxy() -> Result<(String, AbortOnDropHandle<()>)> {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Clinic Inspection CA");
    let (mut authority, key) = (CertificateParams::default(), KeyPair::generate()?);
    (authority.distinguished_name, authority.is_ca) = (name, IsCa::Ca(BasicConstraints::Unconstrained));
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate()?;
    let shown =
        CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![shown.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("https://{}", listener.local_addr()?);
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The terminal ends the handshake.
            acceptor.accept(stream).await.ok();
        }
    });
    Ok((address, AbortOnDropHandle::new(accepting)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_with_its_own_authority_is_named() -> Result<()> {
    let (world, server) = group("foreign-issuer").await?;
    let agent = Agent::start(&world, &server, CODE, AgentPlan::default()).await?;
    let (address, _accepting) = proxy().await?;
    let mut inspected = Agent::prepare(&world, &address, AgentPlan::default())?;
    // Its enrolment says it too.
    let token = server.token(CODE).await?;
    let refused = inspected.try_run(&["enrol", "--token", &token]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("Clinic Inspection CA"), "{said}");
    std::fs::copy(agent.state.join("identity.pem"), inspected.state.join("identity.pem"))
        .context("copy the identity")?;
    let said = checked(&inspected).await?;
    ensure!(said.contains("[ NG ] サーバー server") && said.contains("Clinic Inspection CA"), "{said}");
    ensure!(said.contains("別の認証局"), "{said}");
    inspected.launch()?;
    wait::until("the log to name the issuer", PATIENCE, async || {
        ensure!(inspected.log().contains("Clinic Inspection CA"), "{}", inspected.log());
        Ok(())
    })
    .await
}
